#!/usr/bin/env bash
# benches/instructions.sh [--bless]: how many instructions a line takes, stage by stage, on the
# benchmarks' fixed inputs, compared with the figures in benches/instructions.tsv.
#
# Exit code 1 where one of them has grown by more than 2 %. --bless keeps the new figures.
#
# Instructions are counted by valgrind, so the figures do not depend on what else the machine
# does. They do depend on the compiler, which instructions.tsv names, and a little on which
# instructions valgrind finds that the processor has.
#
# The same binary has the same figures: to the digit where no map of rows is involved, else
# within 0.2 %. Such a map has another seed in each process, made of the time too, so that
# rows lie, collide and allocate differently, by up to 1 %. Of five runs the least is taken.
#
# Nothing is installed or built. `just instructions` builds the benchmarks first.
set -euo pipefail
cd "$(dirname "$0")/.."

kept=benches/instructions.tsv
grown=1.02
target=${CARGO_TARGET_DIR:-target}
work=$target/instructions

# Lines or events that each case works on.
lines=4096

# The name of a figure, the benchmark, its case, the function in which to count, and how often
# it has to be counted.
cases='
framing/lines        parse  framing/lines                            parse::framing           1
framing/octets       parse  framing/octets                           parse::framing           1
envelope/haproxy     parse  envelope/haproxy                         parse::envelope          1
envelope/traditional parse  envelope/traditional                     parse::envelope          1
envelope/forward     parse  envelope/forward                         parse::envelope          1
envelope/rfc5424     parse  envelope/rfc5424                         parse::envelope          1
line/httplog         parse  parse/httplog                            parse::line              1
line/tcplog          parse  parse/tcplog                             parse::line              1
line/custom          parse  parse/custom                             parse::line              1
rules/condition      rules  condition_of_three                       rules::apply             5
rules/bundled        rules  bundled                                  rules::apply             5
rules/5_counts       rules  5_rules_of_one_grouping,_a_count         rules::apply             5
rules/20_counts      rules  20_rules_of_one_grouping,_a_count        rules::apply             5
rules/5_percentiles  rules  5_rules_of_one_grouping,_a_percentile    rules::apply             5
rules/20_percentiles rules  20_rules_of_one_grouping,_a_percentile   rules::apply             5
worker/bundled       worker worker/bundled                           worker::frames_to_delta  5
'

main() {
    local bless=
    case "$*" in
        '') ;;
        --bless) bless=yes ;;
        *) fail "usage: benches/instructions.sh [--bless]" ;;
    esac
    command -v valgrind >/dev/null || fail "needs valgrind (Debian package valgrind)"
    mkdir -p "$work"
    {
        echo "# Instructions a line, by benches/instructions.sh."
        echo "# $(rustc --version), $(uname -m)"
        local name bench only function times figure
        while read -r name bench only function times; do
            [ -n "$name" ] || continue
            figure=$(count "$bench" "${only//_/ }" "$function" "$times")
            printf '%s\t%s\n' "$name" "$figure"
        done <<<"$cases"
    } >"$work/instructions.tsv"
    compare "$work/instructions.tsv" || status=$?
    if [ -n "$bless" ]; then
        cp "$work/instructions.tsv" "$kept"
        echo "kept in $kept"
        return 0
    fi
    return "${status:-0}"
}

# Runs a case so often, and counts in that function and in what it calls.
count() {
    local binary i out=$work/callgrind.out total least=
    binary=$(newest "$1")
    for ((i = 0; i < $4; i++)); do
        valgrind --tool=callgrind --collect-atstart=no --toggle-collect="$3" \
            --callgrind-out-file="$out" "$binary" --test "$2" >"$work/out" 2>&1 ||
            fail "$binary --test '$2': $(tail -n 5 "$work/out")"
        total=$(sed -n 's/^summary: //p' "$out")
        [ "${total:-0}" -gt 0 ] || fail "$binary --test '$2' does not come to $3"
        [ -n "$least" ] && [ "$least" -le "$total" ] || least=$total
    done
    awk -v n="$least" -v lines=$lines 'BEGIN { printf "%.1f", n / lines }'
}

compare() {
    [ -e "$kept" ] || { cat "$1"; return 0; }
    if [ "$(sed -n 2p "$kept")" != "$(sed -n 2p "$1")" ]; then
        echo "kept figures are of another compiler or machine: $(sed -n 's/^# //;2p' "$kept" | tail -n 1)"
    fi
    awk -F '\t' -v grown=$grown '
        /^#/ { next }
        NF < 2 { next }
        FNR == NR { kept[$1] = $2; next }
        !header { printf "%-22s %10s %10s %8s\n", "", "kept", "now", "ratio"; header = 1 }
        !($1 in kept) { printf "%-22s %10s %10.1f\n", $1, "-", $2; next }
        {
            ratio = $2 / kept[$1]
            printf "%-22s %10.1f %10.1f %8.3f%s\n", $1, kept[$1], $2, ratio, (ratio > grown ? "  grown" : "")
            if (ratio > grown) bad = 1
            delete kept[$1]
        }
        END {
            for (name in kept) { printf "%s is not measured any more\n", name; bad = 1 }
            exit bad
        }' "$kept" "$1"
}

newest() {
    local found
    found=$(find "$target/release/deps" -maxdepth 1 -name "$1-*" -type f -executable -printf '%T@ %p\n' 2>/dev/null |
        sort -rn | head -n 1 | cut -d ' ' -f 2-)
    [ -n "$found" ] || fail "no benchmark $1 in $target/release/deps: cargo bench --locked --no-run --bench '*'"
    echo "$found"
}

fail() {
    printf 'instructions.sh: %s\n' "$*" >&2
    exit 1
}

main "$@"
