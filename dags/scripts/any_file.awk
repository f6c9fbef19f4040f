# The rule for any CSV file without quoted fields, see rows.awk: each line has as many fields as the header.

# Without spaces and tabs around fields. It is put together in pieces: to add each field to all before copies those each time.
function bare(line,   count, i, cell, piece, text) {
  if (line !~ /^[ \t]|[ \t]$|[ \t],|,[ \t]/) return line
  count = split(line, cell, ",")
  for (i = 1; i <= count; i++) {
    piece = piece (i > 1 ? "," : "") trim(cell[i])
    if (length(piece) > 1000) { text = text piece; piece = "" }
  }
  return text piece
}

function head(line) {
  commas = gsub(/,/, ",", line)
  return line
}

function judge(line) {
  clean = line
  return gsub(/,/, ",", line) != commas ? "wrong_columns" : index(line, "\"") ? "quoted" : ""
}
