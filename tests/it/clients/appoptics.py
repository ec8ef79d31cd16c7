"""What users of appoptics-metrics do, against weir."""

import os
import time

import appoptics_metrics
from appoptics_metrics.aggregator import Aggregator
from appoptics_metrics.exceptions import BadRequest, NotFound, Unauthorized

HOST, TOKEN = os.environ["WEIR_HOST"], os.environ["WEIR_TOKEN"]
NOW = int(time.time())


def connect(token=TOKEN, **options):
    return appoptics_metrics.connect(token, hostname=HOST, protocol="http", **options)


def refused(kind, call):
    try:
        call()
    except kind as refusal:
        return str(refusal)
    raise AssertionError("not refused")


api = connect()


def series(name, **query):
    answer = api.get_measurements(name, duration=600, **query)
    return [(one["tags"], [row["value"] for row in one["measurements"]]) for one in answer["series"]]


# One by one, in a queue, aggregated.
api.submit("cpu", 40, tags={"host": "a"}, time=NOW - 30)
api.submit_measurement("cpu", 60, tags={"host": "b"}, time=NOW - 30)
with api.new_queue(tags={"service": "web"}) as queue:
    for n in range(301):
        queue.add("queued", n, time=NOW - 310 + n)
    queue.add("other", 7, tags={"host": "a"}, time=NOW - 30)
# Without tags, an aggregator has a source.
aggregator = Aggregator(api, tags={"service": "web"}, source="app", measure_time=NOW - 30)
for n in (1, 2, 6):
    aggregator.add_tagged("work", n)
    aggregator.add("sourced", n)
aggregator.submit()

assert series("cpu") == [({"host": "a"}, [40.0]), ({"host": "b"}, [60.0])], series("cpu")
assert series("cpu", tags={"host": "b"}) == [({"host": "b"}, [60.0])]
assert series("cpu", group_by="*", group_by_function="mean") == [({}, [50.0])]
(tags, rows), = series("queued")
assert tags == {"service": "web"} and rows == [float(n) for n in range(301)], (tags, len(rows))
assert series("other") == [({"host": "a"}, [7.0])], series("other")
for function, value in (("mean", 3.0), ("sum", 9.0), ("min", 1.0), ("max", 6.0), ("count", 3.0)):
    assert series("work", summary_function=function) == [({"service": "web"}, [value])], function
    assert series("sourced", summary_function=function) == [({"source": "app"}, [value])], function

# Metrics.
api.create_metric("made", display_name="Made first", period=30)
made = api.get_metric("made")
assert made.period == 30 and made.attributes["created_by_ua"].startswith("appoptics_metrics/")
api.update_metric("made", description="by hand", attributes={"color": "#52D74C"})
assert api.get("made").description == "by hand" and api.get("made")["color"] == "#52D74C"
names = [metric.name for metric in api.list_all_metrics(length=2)]
assert names == ["cpu", "made", "other", "queued", "sourced", "work"], names
api.delete_metric("made")
refused(NotFound, lambda: api.get("made"))
api.delete(["other", "queued"])
assert [metric.name for metric in api.list_metrics()] == ["cpu", "sourced", "work"]

# Annotations.
event = api.post_annotation("deploys", title="v7", source="lb-1", start_time=NOW - 60, end_time=NOW - 30)
assert api.get_annotation_stream("deploys", start_time=NOW - 120).events == {"lb-1": [event]}
api.delete_annotation_stream("deploys")
assert list(api.list_annotation_streams()) == []

# Spaces and charts.
space = api.create_space("Web", tags=True)
api.create_chart("CPU", space, type="stacked", streams=[
    {"metric": "cpu", "tags": [{"name": "host", "values": ["*"], "grouped": True}]}])
space = api.find_space("web")
chart, = space.charts()
assert (chart.name, chart.type, chart.streams[0].metric) == ("CPU", "stacked", "cpu"), vars(chart)
chart.rename("CPUs")
assert api.get_chart(chart.id, space).name == "CPUs"
chart.delete()
assert api.get_space(space.id).chart_ids == []
space.delete()
assert list(api.list_spaces()) == []

# Refusals.
said = refused(BadRequest, lambda: api.submit("a b", 1, tags={"host": "a"}))
assert said == "[400] params: name: a b is not a valid metric name", said
refused(Unauthorized, lambda: connect("wrong").submit("cpu", 1, tags={"host": "a"}))
refused(Unauthorized, lambda: connect("wrong").list_metrics())
print("done")
