# The lines of a CSV file, each with one fate. Which one, the file of a rule says, loaded beside this one:
#
#   bare(line)   the line as it is judged
#   head(line)   the header of clean.csv, made of the input's; "" if it is the wrong one
#   judge(line)  the reason why a row is rejected; "" for a good one, whose text for clean.csv is in `clean` then
#
# Good lines leave with their number in front. The awk of the image is mawk:
# - A pattern takes memory for each character that it repeats, see `span` in sales_rule.awk; a search for one character takes
#   none. A pattern that may begin anywhere and repeats is tried from each character: a megabyte of spaces would take hours.
# - A field, or $0 as it was read, is compared as a number if it looks like one: 1.0 equals 1. What substr returns is a text.
# - Fields are not assigned: each time takes as long as the line has fields.
# - A pattern cannot name the character NUL, but index finds it, and it stays where it is.
# - A line of a megabyte is read at once, one of 10 MB in a second, one of 40 MB in half a minute.

BEGIN {
  # Counts beyond 2^31, too, are written with all their digits.
  CONVFMT = OFMT = "%.0f"
  rejects = ENVIRON["WORK"] "/rejects"; header_file = ENVIRON["WORK"] "/header"; counts = ENVIRON["WORK"] "/counts"
  printf "" >rejects; printf "" >header_file
  read = rejected = 0
}

{ line = substr($0, 1) }
NR == 1 && substr(line, 1, 3) == "\357\273\277" { line = substr(line, 4) }
substr(line, length(line)) == "\r" { line = substr(line, 1, length(line) - 1) }
line !~ /[^ \t\r]/ { next }
{ line = bare(line) }
!begun {
  begun = 1; header = line; new = head(line)
  if (new == "") {
    print "clean_csv: error: the input file has the wrong header: " substr(line, 1, 300) >"/dev/stderr"
    exit 2
  }
  print new >header_file
  next
}
line == header { next }
{ read++; reason = judge(line) }
reason != "" { rejected++; print reason "," line >rejects; next }
{ print NR "\t" clean }

END { print read " " rejected >counts }

# Return a text without the spaces and tabs around it, nor other characters of a set.
function trim(text, others,   last) {
  if (!match(text, "[^ \t" others "]")) return ""
  for (last = length(text); index(" \t" others, substr(text, last, 1)); last--);
  return substr(text, RSTART, last - RSTART + 1)
}
