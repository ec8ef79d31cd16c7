"""What users of librato-metrics do, against weir."""

import os
import time

import librato
from librato.aggregator import Aggregator
from librato.exceptions import BadRequest, ClientError, NotFound, Unauthorized

HOST, TOKEN = os.environ["WEIR_HOST"], os.environ["WEIR_TOKEN"]
NOW = int(time.time())


def connect(token=TOKEN, **options):
    return librato.connect("me@example.com", token, hostname=HOST, protocol="http", **options)


def refused(kind, call):
    try:
        call()
    except kind as refusal:
        return str(refusal)
    raise AssertionError("not refused")


def values(rows):
    return [row["value"] for row in rows]


api = connect()

# Gauges and counters, one by one, and what they are.
api.submit("temperature", 80, description="of the attic", period=60)
api.submit("temperature", 81.5, source="attic", measure_time=NOW - 10)
api.submit("connections", 20, type="counter", source="lb-1")
gauge = api.get("temperature", count=10, resolution=1)
assert isinstance(gauge, librato.Gauge) and gauge.period == 60, vars(gauge)
assert gauge.description == "of the attic", gauge.description
assert gauge.attributes["created_by_ua"].startswith("python-librato/"), gauge.attributes
assert values(gauge.measurements["attic"]) == [81.5], gauge.measurements
assert values(gauge.measurements["unassigned"]) == [80.0], gauge.measurements
counter = api.get("connections", start_time=NOW - 60, resolution=60)
assert isinstance(counter, librato.Counter)
assert values(counter.measurements["lb-1"]) == [20.0], counter.measurements
gauge.add(82, source="attic", measure_time=NOW - 5)
rows = api.get("temperature", count=1, sources=["att*"]).measurements
assert {source: values(rows[source]) for source in rows} == {"attic": [82.0]}, rows

# A queue of more than a request, sent in several.
with api.new_queue() as queue:
    for n in range(301):
        queue.add("queued.%d" % (n % 7), n, source="s%d" % n, measure_time=NOW - 20)
    queue.add("queued.total", 301, type="counter")
assert sum(len(api.get("queued.%d" % n, count=1).measurements) for n in range(7)) == 301
assert api.get("queued.total").what_am_i() == "counters"
queue = api.new_queue(auto_submit_count=2)
queue.add("auto", 1, measure_time=NOW - 20)
queue.add("auto", 2, measure_time=NOW - 19)
assert values(api.get("auto", count=9).measurements["unassigned"]) == [1.0, 2.0]

# An aggregator, alone and in a queue.
aggregator = Aggregator(api, source="app", period=10, measure_time=NOW - 30)
for n in (1, 2, 6):
    aggregator.add("work", n)
queue = api.new_queue()
queue.add_aggregator(aggregator)
queue.submit()
row, = api.get("work", count=1).measurements["app"]
assert row["measure_time"] == (NOW - 30) // 10 * 10 and row["value"] == 3.0, row
assert (row["count"], row["sum"], row["min"], row["max"]) == (3, 9.0, 1.0, 6.0), row
aggregator = Aggregator(api, tags={"region": "eu"}, measure_time=NOW - 30)
for n in (4, 8):
    aggregator.add_tagged("tagged.work", n)
aggregator.submit()

# Tags: of a measurement, of the connection, both; and reading by them.
tagged = connect(tags={"company": "acme", "env": "prod"})
tagged.submit("load", 1, time=NOW - 30)
tagged.submit("load", 2, tags={"host": "a"}, time=NOW - 30)
tagged.submit("load", 3, tags={"host": "b"}, inherit_tags=True, time=NOW - 30)
queue = tagged.new_queue(tags={"env": "test"})
queue.add("load", 4, time=NOW - 30)
queue.add("load", 5, tags={"host": "c"}, time=NOW - 30)
queue.submit()


def load(**query):
    answer = api.get_measurements("load", duration=600, **query)
    return [(one["tags"], values(one["measurements"])) for one in answer["series"]]


whole = {"company": "acme", "env": "prod"}
assert load() == [
    ({"company": "acme", "env": "prod"}, [1.0]),
    ({"company": "acme", "env": "prod", "host": "b"}, [3.0]),
    ({"company": "acme", "env": "test"}, [4.0]),
    ({"host": "a"}, [2.0]),
    ({"host": "c"}, [5.0]),
], load()
assert load(tags={"env": "pro*"}) == [(whole, [1.0]), (dict(whole, host="b"), [3.0])]
assert load(group_by="env", group_by_function="sum", resolution=60) == [
    ({"env": "prod"}, [4.0]), ({"env": "test"}, [4.0])], load(group_by="env", group_by_function="sum")
work = api.get_tagged("tagged.work", start_time=NOW - 60, summary_function="max")
assert values(work["series"][0]["measurements"]) == [8.0], work

# Lists, in pages.
names = [metric.name for metric in api.list_metrics(name="queued", length=3)]
assert names == ["queued.0", "queued.1", "queued.2"], names
everything = [metric.name for metric in api.list_all_metrics(length=4)]
assert everything == sorted(everything) and len(everything) == len(set(everything)) == 14, everything

# Edits, and a metric made before its first point.
attributes = api.get("temperature").attributes
attributes["display_units_short"] = "F"
api.update("temperature", attributes=attributes, display_name="Temperature")
assert api.get("temperature")["display_units_short"] == "F"
api.update("made.first", type="counter", period=15)
assert api.get("made.first").period == 15

# The end of one, of several.
api.delete("auto")
refused(NotFound, lambda: api.get("auto"))
api.delete(["queued.%d" % n for n in range(7)])
assert [metric.name for metric in api.list_metrics(name="queued")] == ["queued.total"]

# Annotations.
event = api.post_annotation("deploys", title="v7", source="lb-1", start_time=NOW - 60,
                            links=[{"rel": "ci", "href": "http://ci/7", "label": "CI"}])
assert event["id"] == 1 and event["links"][0]["label"] == "CI", event
api.post_annotation("deploys", title="v8", description="the next one")
stream = api.get_annotation_stream("deploys", start_time=NOW - 120)
titles = {source: [event["title"] for event in stream.events[source]] for source in stream.events}
assert titles == {"lb-1": ["v7"], "unassigned": ["v8"]}, titles
assert api.update_annotation_stream("deploys", display_name="Deploys").display_name == "Deploys"
assert [stream.display_name for stream in api.list_annotation_streams()] == ["Deploys"]
api.delete_annotation_stream("deploys")
refused(NotFound, lambda: api.get_annotation_stream("deploys"))

# Spaces and charts.
space = api.create_space("Attic", tags=True)
assert (space.id, space.name, space.tags) == (1, "Attic", True), vars(space)
said = refused(ClientError, lambda: api.create_space("attic"))
assert said.startswith("[422] params: name: 'attic' is the name of the space 1"), said
chart = api.create_chart("Temperature", space, type="line", label="F", streams=[
    {"metric": "temperature", "source": "att*", "group_function": "max", "summary_function": "max"},
    {"metric": "load", "tags": [{"name": "env", "values": ["*"], "grouped": True}], "color": "#52D74C"}])
assert (chart.id, chart.type, chart.label) == (1, "line", "F"), vars(chart)
assert [(s.id, s.metric, s.type) for s in chart.streams] == [
    (1, "temperature", "gauge"), (2, "load", "gauge")], [vars(s) for s in chart.streams]
assert chart.streams[1].tags == [{"name": "env", "values": ["*"], "grouped": True}]
space.add_bignumber_chart("Now", "temperature", use_last_value=True)
space.add_stacked_chart("Composite", streams=[{"composite": 'sum(s("load","*"))'}])
space.add_single_line_chart("Connections", "connections")
space = api.find_space("ATTIC")
assert space.chart_ids == [1, 2, 3, 4], space.chart_ids
types = [(c.name, c.type, c.streams[0].type) for c in space.charts()]
assert types == [("Temperature", "line", "gauge"), ("Now", "bignumber", "gauge"),
                 ("Composite", "stacked", "composite"), ("Connections", "line", "counter")], types
chart = api.find_chart("now", space)
assert chart.use_last_value is True and chart.space_id == 1, vars(chart)
chart.rename("Right now")
chart.new_stream("load", source="*")
chart.min = 0
chart.save()
chart = api.get_chart(2, 1)
assert (chart.name, chart.min, [s.id for s in chart.streams][0]) == ("Right now", 0, 3), vars(chart)
assert [s.metric for s in chart.streams] == ["temperature", "load"]
chart.delete()
refused(NotFound, lambda: api.get_chart(2, 1))
space.rename("Loft")
assert [s.name for s in api.list_spaces(name="lof")] == ["Loft"]
api.create_space("Cellar")
assert [s.name for s in api.list_spaces(length=1)] == ["Cellar", "Loft"]
assert api.find_space("Attic") is None
api.delete_space(1)
refused(NotFound, lambda: api.get_space(1))

# What is refused is the client's own exception, with what was wrong.
said = refused(BadRequest, lambda: api.submit("my bad name", 1))
assert said == "[400] params: name: my bad name is not a valid metric name", said
said = refused(BadRequest, lambda: api.submit("temperature", 1, type="counter"))
assert "'temperature' is a gauge, but was submitted as different type" in said, said
said = refused(BadRequest, lambda: api.submit("old", 1, measure_time=NOW - 400 * 86400))
assert "measure_time: is too far in the past" in said, said
said = refused(BadRequest, lambda: api.submit_tagged("load", 1, tags={"a b": "c"}))
assert "a b is not a valid tag name" in said, said
said = refused(Unauthorized, lambda: connect("wrong").submit("temperature", 1))
assert said == "[401] Credentials are required to access this resource.", said
said = refused(Unauthorized, lambda: connect("wrong").list_metrics())
assert said == "[401] request: Authorization Required", said
# A sanitizer makes names valid instead.
clean = connect(sanitizer=librato.sanitize_metric_name)
clean.submit("my bad name", 3)
assert values(clean.get("my bad name", count=1).measurements["unassigned"]) == [3.0]
print("done")
