#!/usr/bin/env bash
# Clean a CSV file: byte order mark, CRLF, blank lines, repeated headers, copies; bad lines are set aside.
#
#   clean_csv.sh input.csv clean.csv rejects.csv
#   clean_csv.sh input.csv clean.csv rejects.csv 2026-01-15 [Europe/Berlin]
#
# With a day it is that day's sales file, in that time zone: each row is judged by the rule for sales files, and a good one is
# written in one spelling, with its amount; rows with equal values are copies. Without a day it is any file without quoted
# fields: spaces around fields go; lines with quotes, or with another number of fields than the header, are bad.
#
# Bad lines go to rejects.csv, with the reason in front; those of a sales file as they are, byte by byte. The first of equal
# rows stays. Both files appear whole or not at all. The last line on stdout is JSON: the counts. A mistake ends with exit code 2.
# However large the file is, it takes some tens of MB of memory, and for a while twice its size beside clean.csv.
set -euo pipefail
export LC_ALL=C  # byte by byte: no encoding can stop it

fail() {
  echo "clean_csv: error: $1" >&2
  exit 2
}

# From when on the zone has which offset from UTC, between two seconds since 1970, in steps: lines "SECONDS +HH:MM:SS".
offsets() {
  seq --format=@%.0f "$1" "$3" "$2" | TZ=$zone date --file=- '+%s %::z' | uniq --skip-fields=1
}

if [[ ${1:-} == --help ]]; then
  sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
  exit 0
fi
[[ $# -ge 3 && $# -le 5 ]] || fail "usage: clean_csv.sh input.csv clean.csv rejects.csv [day [zone]]"
input=$1 clean=$2 rejects=$3
[[ -f $input ]] || fail "the input file $input does not exist"
[[ -r $input ]] || fail "the input file $input may not be read by user $(id -u)"
[[ -s $input ]] || fail "the input file $input is empty"
for target in "$clean" "$rejects"; do
  [[ ! -d $target ]] || fail "$target is a folder, not a file"
  [[ -d $(dirname -- "$target") && -w $(dirname -- "$target") ]] || fail "the folder of $target cannot be written"
done
rule=any_file
if [[ $# -gt 3 ]]; then
  rule=sales_rule day=$4 zone=${5:-${AIRSPARK_TIME_ZONE:-UTC}} zones=/usr/share/zoneinfo
  # `date` takes more than this for a day, and an unknown zone for UTC.
  [[ $day =~ ^[0-9]{4}-[0-9]{2}-[0-9]{2}$ && $day != 0000* && $(date -ud "$day" +%F 2>/dev/null) == "$day" ]] ||
    fail "'$day' is not a day, such as 2026-01-15"
  [[ $zone =~ ^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$ && -f $zones/$zone && $(head -c 4 "$zones/$zone") == TZif ]] ||
    fail "'$zone' is not a time zone of $zones, such as Europe/Berlin"
  noon=$(date -ud "$day 12:00" +%s)
  # Hour by hour, and second by second in an hour in which the offset changes.
  OFFSETS=$(
    offsets "$((noon - 259200))" "$((noon + 259200))" 3600 |
      while read -r begin _; do offsets "$((begin - 3600))" "$begin" 1; done | uniq --skip-fields=1
  )
  export DAY=$day OFFSETS
fi
umask 0002
work=$(mktemp -d -- "$(dirname -- "$clean")/.clean_csv.XXXXXX")
trap 'rm -rf -- "$work"' EXIT
trap 'exit 143' TERM INT

scripts=$(dirname -- "$0")
# Files by environment, because awk reads escapes in its own assignments.
export WORK=$work
# Good lines leave with their number in front. Sorted by their text, copies follow each other; then back in their order.
# What substr returns is compared as a text. Fields that look like numbers are compared as numbers: 1.0 equals 1.
awk -f "$scripts/rows.awk" -f "$scripts/$rule.awk" <"$input" |
  sort --field-separator=$'\t' --key=2 --key=1,1n --buffer-size=32M --temporary-directory="$work" |
  awk '
    { text = substr($0, index($0, "\t") + 1) }
    NR == 1 || text != last { print }
    { last = text }
  ' |
  sort --field-separator=$'\t' --key=1,1n --buffer-size=32M --temporary-directory="$work" |
  cut -f 2- >"$work/lines"
[[ -s $work/header ]] || fail "the input file $input has blank lines only"
cat "$work/header" "$work/lines" >"$work/clean"
written=$(wc -l <"$work/lines")
read -r rows rejected <"$work/counts"
mv -fT -- "$work/rejects" "$rejects"
mv -fT -- "$work/clean" "$clean"
printf '{"rows_read": %d, "rows_written": %d, "rows_rejected": %d, "rows_duplicate": %d}\n' \
  "$rows" "$written" "$rejected" "$((rows - written - rejected))"
