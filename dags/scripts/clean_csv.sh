#!/usr/bin/env bash
# Clean a CSV file without quoted fields: byte order mark, CRLF, spaces around fields, blank lines, repeated headers, copies.
#
#   clean_csv.sh input.csv clean.csv rejects.csv
#
# Lines with another number of fields than the header go to rejects.csv, with the reason in front. The first of equal lines
# stays. Both files appear whole or not at all. The last line on stdout is JSON: the counts. A mistake ends with exit code 2.
# However large the file is, it takes some tens of MB of memory, and for a while twice its size beside clean.csv.
set -euo pipefail
export LC_ALL=C  # byte by byte: no encoding can stop it

fail() {
  echo "clean_csv: error: $1" >&2
  exit 2
}

if [[ ${1:-} == --help ]]; then
  sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
  exit 0
fi
[[ $# -eq 3 ]] || fail "usage: clean_csv.sh input.csv clean.csv rejects.csv"
input=$1 clean=$2 rejects=$3
[[ -f $input ]] || fail "the input file $input does not exist"
[[ -r $input ]] || fail "the input file $input may not be read by user $(id -u)"
[[ -s $input ]] || fail "the input file $input is empty"
for target in "$clean" "$rejects"; do
  [[ ! -d $target ]] || fail "$target is a folder, not a file"
  [[ -d $(dirname -- "$target") && -w $(dirname -- "$target") ]] || fail "the folder of $target cannot be written"
done
umask 0002
work=$(mktemp -d -- "$(dirname -- "$clean")/.clean_csv.XXXXXX")
trap 'rm -rf -- "$work"' EXIT
trap 'exit 143' TERM INT

# Files by environment, because awk reads escapes in its own assignments.
export WORK=$work
# Good lines leave with their number in front. Sorted by their text, copies follow each other; then back in their order.
awk -F, '
  BEGIN {
    OFS = ","
    rejects = ENVIRON["WORK"] "/rejects"; header_file = ENVIRON["WORK"] "/header"; counts = ENVIRON["WORK"] "/counts"
    printf "" >rejects; printf "" >header_file
    read = rejected = 0
  }
  NR == 1 { sub(/^\357\273\277/, "") }
  { sub(/\r$/, "") }
  /^[ \t]*$/ { next }
  { for (i = 1; i <= NF; i++) gsub(/^[ \t]+|[ \t]+$/, "", $i); $1 = $1 }
  !columns { columns = NF; header = $0; print >header_file; next }
  $0 == header { next }
  { read++ }
  NF != columns { rejected++; print "wrong_columns", $0 >rejects; next }
  index($0, "\"") { rejected++; print "quoted", $0 >rejects; next }
  { printf "%d\t%s\n", NR, $0 }
  END { print read " " rejected >counts }
' <"$input" |
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
