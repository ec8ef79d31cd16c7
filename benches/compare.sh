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
# Weirs that run, to be stopped whatever happens.
running=()

main() {
    local row wanted=("$@")
    for row in "$@"; do
        [[ " ${rows[*]} " == *" $row "* ]] || fail "no row $row: ${rows[*]}"
    done
    [ $# -gt 0 ] || wanted=("${rows[@]}")
    mkdir -p "$work"
    trap clean EXIT
    trap 'exit 130' INT TERM
    [ -x "$weir" ] || fail "no $weir: cargo build --release --locked"
    load=$(bench_binary load)
    results=$work/results.tsv
    printf 'row\twhat\tvalue\tunit\tlimit\tfrom\n' >"$results"
    for row in "${wanted[@]}"; do
        say "$row"
        "row_$row"
    done
    table
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
        cpu weir "$weir" replay --threads 1 "$file"
        needs halog haproxy || continue
        cpu halog halog -q -srv <"$file"
    done
    value replay "weir replay, one thread" "$(million weir)" "CPU s per million lines"
    have halog || return 0
    value replay "halog -srv" "$(million halog)" "CPU s per million lines"
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
    have mtail && value others "mtail, a histogram and three counters" "$(million mtail 10)" \
        "CPU s per million lines"
    have goaccess && value others "GoAccess, its report as JSON" "$(million goaccess 10)" \
        "CPU s per million lines"
    return 0
}

row_threads() {
    local file i
    file=$(log plain)
    begin one two
    for ((i = 0; i < runs; i++)); do
        wall one "$weir" replay --threads 1 "$file"
        wall two "$weir" replay --threads 2 "$file"
    done
    value threads "one thread" "$(million one)" "wall s per million lines"
    value threads "two threads" "$(million two)" "wall s per million lines"
    value threads "two threads / one" "$(ratio two one)" "x" 0.55
}

row_tcp() {
    local file i
    file=$(log plain)
    begin replay live
    for ((i = 0; i < runs; i++)); do
        cpu replay "$weir" replay --threads 1 "$file"
        live_tcp live
    done
    value tcp "weir replay, one thread" "$(million replay)" "CPU s per million lines"
    value tcp "live over one TCP connection" "$(million live)" "CPU s per million lines"
    value tcp "live over TCP / replay" "$(ratio live replay)" "x" 1.3
}

row_udp() {
    local i
    begin weir discard lost rate discarded
    for ((i = 0; i < runs; i++)); do
        live_udp 200000 2000000
        discard_udp 200000 2000000
    done
    value udp "achieved by the sender" "$(median rate)" "datagrams/s"
    value udp "lost of 2,000,000" "$(largest lost)" "datagrams, the worst run" 0
    value udp "lost by recvmmsg that throws away" "$(largest discarded)" "datagrams, the worst run"
    value udp "live over UDP" "$(median weir)" "CPU us per datagram"
    value udp "recvmmsg that throws away" "$(median discard)" "CPU us per datagram"
    value udp "live over UDP / recvmmsg" "$(ratio weir discard)" "x" 1.5
}

# As fast as one sender can: what the kernel drops is counted.
row_overload() {
    begin weir lost rate unaccounted
    live_udp 0 3000000
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
    value rules "5 rules" "$(million five)" "CPU s per million lines"
    value rules "20 rules" "$(million twenty)" "CPU s per million lines"
    value rules "20 rules / 5" "$(ratio twenty five)" "x" 1.5
}

# Five series for each service.
row_series() {
    local services i
    begin live2 live200 live20000 replay2 replay200 replay20000
    for ((i = 0; i < runs; i++)); do
        for services in 2 200 20000; do
            live_tcp "live$services" --services "$services"
            cpu "replay$services" "$weir" replay --threads 1 "$(log "$services" --services "$services" --span 10s)"
        done
    done
    for services in 2 200 20000; do
        value series "live over TCP, $((5 * services)) series" "$(million "live$services")" \
            "CPU s per million lines"
    done
    value series "live, 100,000 series / 10" "$(ratio live20000 live2)" "x" 2.0
    for services in 2 200 20000; do
        value series "replay, $((5 * services)) series" "$(million "replay$services")" \
            "CPU s per million lines"
    done
    value series "replay, 100,000 series / 10" "$(ratio replay20000 replay2)" "x" 2.0
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
    "$load" unread "$tcp" --priority --lines 600000 --span 60s --start now --services 20000 | tee "$work/unread.out" >&2
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
    env "$@" "$weir" serve -c "$folder/weir.yaml" >"$folder/out" 2>"$folder/log" &
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

# CPU seconds for a log over TCP, from its first line until its last window has closed.
live_tcp() {
    local name=$1 before
    shift
    start_weir
    before=$(used)
    # Dated some seconds ahead, so that none is late.
    "$load" send-tcp "$tcp" --priority --lines "$lines" --span 10s --start "$(($(date +%s) + 8))" "$@" >>"$work/sent.log"
    accounted "$lines"
    sleep 22
    late_is_none
    note "$name" "$(awk -v a="$before" -v b="$(used)" 'BEGIN { print b - a }')"
    stop_weir
}

# CPU microseconds for each datagram that came through, those that were lost, and the rate.
live_udp() {
    local sent before received lost
    start_weir
    before=$(used)
    sent=$("$load" send-udp "$udp" --priority --lines 200000 --rate "$1" --datagrams "$2" --span 10s --start "$(($(date +%s) + 15))")
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
    "$load" discard-udp 127.0.0.1:0 >"$work/discard.out" &
    local receiver=$!
    running+=("$receiver")
    for ((i = 0; i < 100 && ${#address} == 0; i++)); do
        sleep 0.05
        address=$(sed -n 's/^listening //p' "$work/discard.out")
    done
    [ -n "$address" ] || fail "the receiver does not listen"
    sent=$("$load" send-udp "$address" --priority --lines 200000 --rate "$1" --datagrams "$2")
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

largest() {
    sort -n "$work/$1.runs" | tail -n 1
}

# The median for a million lines, of runs over the log or a part of it, and from where to where runs lie.
million() {
    awk -v v="$(median "$1")" -v n="$lines" -v part="${2:-1}" 'BEGIN { printf "%.3f", v * part * 1e6 / n }'
}

ratio() {
    awk -v a="$(median "$1")" -v b="$(median "$2")" 'BEGIN { printf "%.2f", a / b }'
}

# A result: row, what, value, unit, and what it may be at most.
value() {
    printf '%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$4" "${5:-}" >>"$results"
    say "  $2: $3 $4"
}

table() {
    echo
    awk -F '\t' '
        BEGIN { print "| row | what | measured | unit | at most | |\n|---|---|---:|---|---:|---|" }
        NR == 1 { next }
        {
            verdict = ""
            if ($5 != "" && $5 + 0 == 0) verdict = $3 + 0 == 0 ? "met" : "missed"
            else if ($5 != "") {
                part = 100 * ($3 - $5) / $5
                verdict = part <= 0 ? sprintf("met, %.0f %% below", -part) : sprintf("missed, %.0f %% above", part)
            }
            printf "| %s | %s | %s | %s | %s | %s |\n", $1, $2, $3, $4, $5, verdict
        }' "$results" | tee "$work/results.md"
    say "these figures: $results, $work/results.md"
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
