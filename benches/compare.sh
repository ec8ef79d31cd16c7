#!/usr/bin/env bash
# benches/compare.sh [ROW...]: what weir costs, beside what others cost, on this machine.
#
# Rows: counts replay others threads tcp udp overload rules series hour memory closing.
# Without a name all of them run, which takes some half an hour. docs/performance.md says what each one
# measures.
#
# Nothing is installed or built. `just compare` builds what is needed first.
#
# RUNS=5        how often each command runs; medians are told
# LINES=1000000 how long the log is
set -euo pipefail
cd "$(dirname "$0")/.."

rows=(counts replay others threads tcp udp overload rules series hour memory closing)
runs=${RUNS:-5}
lines=${LINES:-1000000}
# Debian's haproxy puts halog into sbin, which is not on everybody's PATH.
export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
target=${CARGO_TARGET_DIR:-target}
[[ $target == /* ]] || target=$PWD/$target
work=$target/compare
weir=$target/release/weir
here=$PWD/benches
# Programs that run, to be stopped whatever happens.
running=()
# What weir is started under.
under=()

main() {
    local row wanted=("$@")
    for row in "$@"; do
        [[ " ${rows[*]} " == *" $row "* ]] || fail "no row $row: ${rows[*]}"
    done
    [ $# -gt 0 ] || wanted=("${rows[@]}")
    mkdir -p "$work"
    trap 'exit 130' INT TERM
    [ -x "$weir" ] || fail "no $weir: cargo build --release --locked"
    load=$(bench_binary load)
    results=$work/results.tsv
    printf 'row\twhat\tvalue\tfrom\tto\tunit\tlimit\n' >"$results"
    machine
    local status failed=()
    for row in "${wanted[@]}"; do
        say "$row"
        # A row that fails ends what it has started, and leaves the others alone.
        set +e
        (
            set -e
            trap clean EXIT
            trap 'exit 130' INT TERM
            "row_$row"
        )
        status=$?
        set -e
        [ "$status" -eq 0 ] || failed+=("$row")
    done
    table
    [ ${#failed[@]} -eq 0 ] || fail "without figures, or without all: ${failed[*]}"
}

# --- rows ---------------------------------------------------------------------------------

# Not measured: that halog and weir read the same log, each line of it.
row_counts() {
    local file theirs ours
    needs halog haproxy || return 0
    file=$(log plain)
    theirs=$(halog -q -st <"$file" | sort -n)
    ours=$("$weir" replay --rules "$here/rules/statuses.yaml" --format csv "$file" | statuses)
    [ "$theirs" = "$ours" ] || fail "halog and weir count differently:
$(diff <(echo "$theirs") <(echo "$ours"))"
    say "  halog -st and weir count the same: $(awk '{ n += $2 } END { print n }' <<<"$ours") lines, \
$(wc -l <<<"$ours") statuses"
}

row_replay() {
    local file i
    file=$(log plain)
    begin weir halog
    for ((i = 0; i < runs; i++)); do
        cpu weir "$weir" replay --rules rules --threads 1 "$file"
        needs halog haproxy || continue
        cpu halog halog -q -srv <"$file"
    done
    runs_of replay "weir replay, one thread" weir "$(million)" "CPU s per million lines"
    have halog || return 0
    runs_of replay "halog -srv" halog "$(million)" "CPU s per million lines"
    value replay "weir replay / halog -srv" "$(ratio weir halog)" "x" 1.0
}

# For orientation: programs that do a part of the job, on a tenth of the log.
row_others() {
    local file part i
    file=$(log plain)
    part=$work/tenth.log
    head -n $((lines / 10)) "$file" >"$part"
    begin mtail goaccess
    for ((i = 0; i < runs; i++)); do
        if needs mtail mtail; then
            cpu mtail mtail --one_shot --logtostderr --progs "$here/compare.mtail" --logs "$part"
        fi
        if needs goaccess goaccess; then
            cpu goaccess goaccess --no-global-config --no-progress --date-format=%d/%b/%Y \
                --time-format=%H:%M:%S --log-format='%^]: %h:%^ [%d:%t.%^] %^ %v/%^ %^/%^/%^/%^/%L %s %b %^"%r"' \
                -o "$work/goaccess.json" "$part"
        fi
    done
    rm -f "$part"
    have mtail && runs_of others "mtail, a histogram and three counters" mtail "$(million 10)" "CPU s per million lines"
    have goaccess && runs_of others "GoAccess, its report as JSON" goaccess "$(million 10)" "CPU s per million lines"
    return 0
}

row_threads() {
    local file i
    file=$(log plain)
    begin one two
    for ((i = 0; i < runs; i++)); do
        wall one "$weir" replay --rules rules --threads 1 "$file"
        wall two "$weir" replay --rules rules --threads 2 "$file"
    done
    runs_of threads "one thread" one "$(million)" "wall s per million lines"
    runs_of threads "two threads" two "$(million)" "wall s per million lines"
    value threads "two threads / one" "$(ratio two one)" "x" 0.55
}

row_tcp() {
    local file i
    file=$(log plain)
    begin replay live counted
    for ((i = 0; i < runs; i++)); do
        cpu replay "$weir" replay --rules rules --threads 1 "$file"
        live_tcp live counted
    done
    runs_of tcp "weir replay, one thread" replay "$(million)" "CPU s per million lines"
    runs_of tcp "live over one TCP connection" live "$(million)" "CPU s per million lines"
    value tcp "live over TCP / replay" "$(ratio live replay)" "x" 1.3
}

row_udp() {
    local i
    begin weir discard lost rate discarded buffer unaccounted
    buffer_of_four_mib
    for ((i = 0; i < runs; i++)); do
        live_udp 200000 2000000
        discard_udp 200000 2000000
    done
    under=()
    value udp "receive buffer of both" "$(least buffer | scaled 9.5367e-7)" "MiB"
    runs_of udp "achieved by the sender" rate 1 "datagrams/s"
    value udp "lost of 2,000,000" "$(largest lost)" "datagrams, the worst run" 0
    value udp "lost by recvmmsg that throws away" "$(largest discarded)" "datagrams, the worst run"
    runs_of udp "live over UDP" weir 1 "CPU us per datagram"
    runs_of udp "recvmmsg that throws away" discard 1 "CPU us per datagram"
    value udp "live over UDP / recvmmsg" "$(ratio weir discard)" "x" 1.5
}

# As fast as one sender can: what the kernel drops is counted.
row_overload() {
    begin weir lost rate unaccounted buffer
    buffer_of_four_mib
    live_udp 0 3000000
    under=()
    value overload "achieved by the sender" "$(median rate)" "datagrams/s"
    value overload "lost of 3,000,000" "$(median lost)" "datagrams"
    value overload "sent - received - counted as lost" "$(median unaccounted)" "datagrams" 0
}

row_rules() {
    local file i
    file=$(log plain)
    begin five twenty
    for ((i = 0; i < runs; i++)); do
        cpu five "$weir" replay --threads 1 --rules "$here/rules/five.yaml" "$file"
        cpu twenty "$weir" replay --threads 1 --rules "$here/rules/twenty.yaml" "$file"
    done
    runs_of rules "5 rules" five "$(million)" "CPU s per million lines"
    runs_of rules "20 rules" twenty "$(million)" "CPU s per million lines"
    value rules "20 rules / 5" "$(ratio twenty five)" "x" 1.5
}

# Five series for each service, and a hundred thousand lines a second.
row_series() {
    local services i
    begin {replay,live,whole}{2,200,20000}
    for ((i = 0; i < runs; i++)); do
        for services in 2 200 20000; do
            cpu "replay$services" "$weir" replay --rules rules --threads 1 "$(log "$services" --services "$services" --span 10s)"
            live_tcp "whole$services" "live$services" --services "$services"
        done
    done
    for services in 2 200 20000; do
        runs_of series "replay, $((5 * services)) series" "replay$services" "$(million)" "CPU s per million lines"
    done
    value series "replay, 100,000 series / 10" "$(ratio replay20000 replay2)" "x" 2.0
    for services in 2 200 20000; do
        runs_of series "live, $((5 * services)) series, until the last line is counted" "live$services" "$(million)" \
            "CPU s per million lines"
    done
    value series "live until the last line is counted, 100,000 series / 10" "$(ratio live20000 live2)" "x" 2.0
    for services in 2 200 20000; do
        runs_of series "live, $((5 * services)) series, until the last window has closed" "whole$services" "$(million)" \
            "CPU s per million lines"
    done
    value series "live until the last window has closed, 100,000 series / 10" "$(ratio whole20000 whole2)" "x" 2.0
}

# An hour passes in two minutes: libfaketime lets weir's clocks run faster.
row_hour() {
    local faster=30 begun start library
    library=$(compgen -G '/usr/lib/*/faketime/libfaketime.so.1' | head -n 1 || true)
    if [ -z "$library" ]; then
        say "  libfaketime is not installed (Debian package faketime): no figure"
        return 0
    fi
    begun=$(date +%s.%N)
    start_weir LD_PRELOAD="$library" FAKETIME="+0 x$faster"
    # What weir's clock says by now, and some seconds for the sender to start.
    start=$(awk -v b="$begun" -v now="$(date +%s.%N)" -v f=$faster 'BEGIN { printf "%d", b + f * (now - b) + 10 }')
    "$load" send-tcp "$tcp" --priority --lines $((3600 * 1000)) --span 1h --start "$start" --faster $faster >&2
    accounted $((3600 * 1000))
    late_is_none
    value hour "50 services, an hour at 1,000 lines/s: resident" "$(kib VmRSS)" "MiB" 48
    value hour "50 services, an hour at 1,000 lines/s: peak" "$(kib VmHWM)" "MiB"
    value hour "windows closed in it" "$(metric weir_windows_closed_total)" "windows"
    stop_weir
}

row_memory() {
    local memory
    memory=$(bench_binary memory)
    "$memory" 20000 5 | tee "$work/memory.out" >&2
    value memory "100,000 series with percentiles" "$(sed -n 's/.* rows: \([0-9]*\) MiB.*/\1/p' "$work/memory.out")" "MiB" 600
    value memory "100,000 series with percentiles" "$(sed -n 's/.* \([0-9]*\) bytes a series.*/\1/p' "$work/memory.out")" "bytes per series"
}

row_closing() {
    start_weir
    "$load" unread "$tcp" --priority --lines 600000 --span 60s --start +0s --services 20000 | tee "$work/unread.out" >&2
    accounted 600000
    value closing "live series" "$(metric weir_series)" "series"
    value closing "windows closed" "$(metric weir_windows_closed_total)" "windows"
    value closing "the longest that a line stayed unread while windows closed" "$(sed -n 's/^closing .* max //p' "$work/unread.out")" "ms" 50
    value closing "99 of 100 looks while windows closed" "$(sed -n 's/^closing .* p99 \([0-9.]*\).*/\1/p' "$work/unread.out")" "ms"
    value closing "the longest otherwise" "$(sed -n 's/^otherwise .* max //p' "$work/unread.out")" "ms"
    stop_weir
}

# --- live ---------------------------------------------------------------------------------

# A weir with the bundled rules and its usual sinks, on free ports: $pid, $tcp, $udp, $http.
start_weir() {
    folder=$(mktemp -d "$work/weir.XXXXXX")
    cat >"$folder/weir.yaml" <<CONFIG
listen:
  - { protocol: tcp, address: "127.0.0.1:0" }
  - { protocol: udp, address: "127.0.0.1:0" }
http: { address: "127.0.0.1:0" }
state: $folder/state
limits: { series: 200000, memory: 4GiB }
CONFIG
    "${under[@]}" env "$@" "$weir" serve -c "$folder/weir.yaml" >"$folder/out" 2>"$folder/log" &
    pid=$!
    running+=("$pid")
    local i
    for ((i = 0; i < 200; i++)); do
        tcp=$(listening tcp) udp=$(listening udp) http=$(listening http)
        [ -z "$tcp" ] || [ -z "$udp" ] || [ -z "$http" ] || return 0
        kill -0 "$pid" 2>/dev/null || fail "weir did not start: $(cat "$folder/log")"
        sleep 0.05
    done
    fail "weir does not listen: $(cat "$folder/log")"
}

# weir asks for 8 MiB, and whoever may administrate the network gets them. Others get
# net.core.rmem_max at most, so where that is 4 MiB the right is taken away.
buffer_of_four_mib() {
    if [ "$(id -u)" = 0 ] && have setpriv && [ "$(cat /proc/sys/net/core/rmem_max)" = 4194304 ]; then
        under=(setpriv --bounding-set=-net_admin)
    fi
}

listening() {
    sed -n "s/.* listening protocol=\"$1\" address=\([0-9.:]*\).*/\1/p" "$folder/log" | head -n 1
}

stop_weir() {
    kill "$pid"
    wait "$pid" || fail "weir ended with $?: $(tail -n 5 "$folder/log")"
    running=()
    rm -rf "$folder"
}

metrics() {
    # HTTP/1.0, so that nothing comes in pieces.
    exec 3<>"/dev/tcp/${http%:*}/${http##*:}"
    printf 'GET /metrics HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n' >&3
    cat <&3
    exec 3>&-
}

# The sum of all samples of that name.
metric() {
    metrics | awk -v name="$1" '{ sub(/\r$/, "") } $1 == name || index($1, name "{") == 1 { n += $NF } END { printf "%.0f", n }'
}

# Waits until so many lines are parsed, or lost; half a minute at most.
accounted() {
    local i
    for ((i = 0; i < 150; i++)); do
        [ "$(($(metric weir_lines_parsed_total) + $(metric weir_datagrams_lost_total)))" -lt "$1" ] || return 0
        sleep 0.2
    done
    fail "of $1 lines $(metric weir_lines_parsed_total) are parsed and $(metric weir_datagrams_lost_total) lost: $(tail -n 5 "$folder/log")"
}

# A measurement of lines that were dated wrongly would be one of something else.
late_is_none() {
    local odd
    odd=$(metrics | awk '/^weir_events_total/ && !/outcome="counted"/ && $NF > 0')
    [ -z "$odd" ] || fail "lines were not counted as usual: $odd"
}

# CPU seconds of weir so far, all its threads.
used() {
    sed 's/.*) //' "/proc/$pid/stat" | awk '{ printf "%.2f", ($12 + $13) / 100 }'
}

kib() {
    awk -v name="$1:" '$1 == name { printf "%.1f", $2 / 1024 }' "/proc/$pid/status"
}

# CPU seconds for a log over TCP, from its first line until its last window has closed, and
# until its last line is counted.
live_tcp() {
    local whole=$1 counted=$2 before
    shift 2
    start_weir
    before=$(used)
    # Dated some seconds ahead, so that none is late.
    "$load" send-tcp "$tcp" --priority --lines "$lines" --span 10s --start +5s "$@" >"$work/sent.out"
    accounted "$lines"
    note "$counted" "$(difference "$before" "$(used)")"
    # The last line's window ends ten seconds after that at most, and is closed and told then.
    until_time "$(($(sed -n 's/^start //p' "$work/sent.out") + 25))"
    late_is_none
    note "$whole" "$(difference "$before" "$(used)")"
    stop_weir
}

until_time() {
    local left=$(($1 - $(date +%s)))
    [ "$left" -le 0 ] || sleep "$left"
}

difference() {
    awk -v a="$1" -v b="$2" 'BEGIN { print b - a }'
}

# CPU microseconds for each datagram that came through, those that were lost, and the rate.
live_udp() {
    local sent before received lost buffer
    start_weir
    # The kernel tells twice what was asked for (socket(7)).
    buffer=$(sed -n 's/.* receive_buffer=\([0-9]*\).*/\1/p' "$folder/log")
    note buffer "$((buffer / 2))"
    before=$(used)
    sent=$("$load" send-udp "$udp" --priority --lines 200000 --rate "$1" --datagrams "$2" --span 10s --start +200s | tail -n 1)
    say "  weir: $sent"
    # What is lost last, weir learns within a second.
    sleep 2
    accounted "$2"
    received=$(metric weir_lines_received_total) lost=$(metric weir_datagrams_lost_total)
    note weir "$(awk -v a="$before" -v b="$(used)" -v n="$received" 'BEGIN { print 1e6 * (b - a) / n }')"
    note lost "$lost"
    note rate "$(sed 's/.* rate \([0-9]*\).*/\1/' <<<"$sent")"
    note unaccounted "$(($2 - received - lost))"
    stop_weir
}

discard_udp() {
    local i address= sent
    "$load" discard-udp 127.0.0.1:0 --receive-buffer "$(least buffer)" >"$work/discard.out" &
    local receiver=$!
    running+=("$receiver")
    for ((i = 0; i < 100 && ${#address} == 0; i++)); do
        sleep 0.05
        address=$(sed -n 's/^listening //p' "$work/discard.out")
    done
    [ -n "$address" ] || fail "the receiver does not listen"
    sent=$("$load" send-udp "$address" --priority --lines 200000 --rate "$1" --datagrams "$2" | tail -n 1)
    wait "$receiver"
    running=()
    say "  recvmmsg: $sent"
    note discard "$(awk '/^received/ { print 1e6 * $NF / $2 }' "$work/discard.out")"
    note discarded "$(awk '/^received/ { print $6 }' "$work/discard.out")"
}

# --- measuring ----------------------------------------------------------------------------

begin() {
    local name
    for name in "$@"; do : >"$work/$name.runs"; done
}

note() {
    echo "$2" >>"$work/$1.runs"
}

# Runs a command and notes its CPU seconds.
cpu() {
    timed '%U %S' "$@"
}

wall() {
    timed '%R' "$@"
}

timed() {
    local TIMEFORMAT=$1 name=$2
    shift 2
    { time "$@" >/dev/null 2>"$work/stderr"; } 2>"$work/time" || fail "$*: $(tail -n 5 "$work/stderr")"
    note "$name" "$(awk '{ print $1 + $2 }' "$work/time")"
}

median() {
    sort -n "$work/$1.runs" | awk '{ v[NR] = $1 } END { if (NR) print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'
}

least() {
    sort -n "$work/$1.runs" | head -n 1
}

largest() {
    sort -n "$work/$1.runs" | tail -n 1
}

ratio() {
    awk -v a="$(median "$1")" -v b="$(median "$2")" 'BEGIN { printf "%.2f", a / b }'
}

# A result: row, what, value, unit, what it may be at most, and between what the runs were.
value() {
    printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "${6:-}" "${7:-}" "$4" "${5:-}" >>"$results"
    say "  $2: $3 $4${6:+ ($6 to $7)}"
}

# Runs as a result: row, what, whose runs, what they are multiplied by, unit.
runs_of() {
    local row=$1 what=$2 name=$3 times=$4 unit=$5
    value "$row" "$what" "$(median "$name" | scaled "$times")" "$unit" "" \
        "$(least "$name" | scaled "$times")" "$(largest "$name" | scaled "$times")"
}

scaled() {
    awk -v times="$1" '{ v = $1 * times; printf (v < 100 ? "%.3f" : "%.0f"), v }'
}

# What makes seconds for the log, or a part of it, seconds for a million lines.
million() {
    awk -v n="$lines" -v part="${1:-1}" 'BEGIN { print part * 1e6 / n }'
}

table() {
    echo
    cat "$work/machine"
    echo
    awk -F '\t' '
        BEGIN { print "| row | what | measured | runs | unit | at most | |\n|---|---|---:|---:|---|---:|---|" }
        NR == 1 { next }
        {
            verdict = ""
            if ($7 != "" && $7 + 0 == 0) verdict = $3 + 0 == 0 ? "met" : "missed"
            else if ($7 != "") {
                part = 100 * ($3 - $7) / $7
                verdict = part <= 0 ? sprintf("met, %.0f %% below", -part) : sprintf("missed, %.0f %% above", part)
            }
            runs = $4 == "" ? "" : $4 " to " $5
            printf "| %s | %s | %s | %s | %s | %s | %s |\n", $1, $2, $3, runs, $6, $7, verdict
        }' "$results" | tee "$work/table.md"
    cat "$work/machine" <(echo) "$work/table.md" >"$work/results.md"
    rm "$work/table.md"
    say "these figures: $results, $work/results.md"
}

# On what, and beside what: other programs that compute make every figure worse.
machine() {
    local model compiler
    model=$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)
    compiler=$(rustc --version 2>/dev/null | cut -d ' ' -f 1-2 || true)
    {
        echo "${model:-$(uname -m)}, $(nproc) processors, Linux $(uname -r | cut -d - -f 1)${compiler:+, $compiler}."
        echo "Load average at the start: $(cut -d ' ' -f 1 /proc/loadavg). Medians of $runs runs, a log of $lines lines."
    } | tee "$work/machine" >&2
}

# --- the rest -----------------------------------------------------------------------------

# The log by that name, generated once for each generator.
log() {
    local file=$work/$1.$lines.log
    shift
    if [ ! -e "$file" ] || [ "$load" -nt "$file" ]; then
        "$load" generate --lines "$lines" "$@" --out "$file"
    fi
    echo "$file"
}

# CSV of statuses.yaml to `status count` as halog prints it: -1 is no status.
statuses() {
    awk -F , '
        $2 == "all.n" { none += $4 }
        $2 == "status.n" { n[$3] += $4; none -= $4 }
        END { if (none) n[-1] = none; for (status in n) print status, n[status] }' | sort -n
}

bench_binary() {
    local newest
    newest=$(find "$target/release/deps" -maxdepth 1 -name "$1-*" -type f -executable -printf '%T@ %p\n' 2>/dev/null |
        sort -rn | head -n 1 | cut -d ' ' -f 2-)
    [ -n "$newest" ] || fail "no $1 in $target/release/deps: cargo bench --locked --no-run --bench '*'"
    echo "$newest"
}

have() {
    command -v "$1" >/dev/null
}

needs() {
    have "$1" && return 0
    say "  $1 is not installed (Debian package $2): no figure"
    return 1
}

say() {
    printf '%s\n' "$*" >&2
}

fail() {
    say "compare.sh: $*"
    exit 1
}

clean() {
    local one
    for one in "${running[@]}"; do
        kill "$one" 2>/dev/null || true
    done
    [ -z "${folder:-}" ] || rm -rf "$folder"
}

main "$@"
