#!/usr/bin/env bash
# Clean a CSV file without quoted fields: byte order mark, CRLF, spaces around fields, blank lines, repeated headers, copies.
#
#   clean_csv.sh input.csv clean.csv rejects.csv
#
# Lines with another number of fields than the header go to rejects.csv, with the reason in front. The first of equal lines
# stays. Both files appear whole or not at all. The last line on stdout is JSON: the counts. A mistake ends with exit code 2.
set -euo pipefail

fail() {
  echo "clean_csv: error: $1" >&2
  exit 2
}

[[ $# -eq 3 ]] || fail "usage: clean_csv.sh input.csv clean.csv rejects.csv"
input=$1 clean=$2 rejects=$3
[[ -f $input ]] || fail "the input file $input does not exist"
[[ -r $input ]] || fail "the input file $input may not be read by user $(id -u)"
[[ -s $input ]] || fail "the input file $input is empty"
for target in "$clean" "$rejects"; do
  [[ -d $(dirname -- "$target") && -w $(dirname -- "$target") ]] || fail "the folder of $target cannot be written"
done
umask 0002
trap 'rm -f -- "$clean.part" "$rejects.part"' EXIT

# Files by environment, because awk reads escapes in its own assignments; byte by byte, so no encoding can stop it.
export CLEAN="$clean.part" REJECTS="$rejects.part"
LC_ALL=C awk -F, '
  BEGIN {
    OFS = ","
    clean = ENVIRON["CLEAN"]; rejects = ENVIRON["REJECTS"]
    printf "" >clean; printf "" >rejects
    read = written = rejected = duplicates = 0
  }
  NR == 1 { sub(/^\357\273\277/, "") }
  { sub(/\r$/, "") }
  /^[ \t]*$/ { next }
  { for (i = 1; i <= NF; i++) gsub(/^[ \t]+|[ \t]+$/, "", $i); $1 = $1 }
  !columns { columns = NF; header = $0; print >clean; next }
  $0 == header { next }
  { read++ }
  NF != columns { rejected++; print "wrong_columns", $0 >rejects; next }
  index($0, "\"") { rejected++; print "quoted", $0 >rejects; next }
  seen[$0]++ { duplicates++; next }
  { written++; print >clean }
  END {
    printf "{\"rows_read\": %d, \"rows_written\": %d, \"rows_rejected\": %d, \"rows_duplicate\": %d}\n",
      read, written, rejected, duplicates
  }
' "$input"
mv -f -- "$rejects.part" "$rejects"
mv -f -- "$clean.part" "$clean"
