# The rule for a row of the daily sales file, see rows.awk and docs/reference/sales-format.md; the same as `judge` in
# spark-apps/sales_format.py. By environment: DAY, and OFFSETS, which offset from UTC its zone has from when on, see clean_csv.sh.

BEGIN {
  NAMES = "order_id,ordered_at,customer_id,product_id,category,quantity,unit_price,region,channel"
  COLUMNS = split(NAMES, name, ",")
  MAX_QUANTITY = 9999; MAX_TEXT = 1024; MAX_OFFSET = 18 * 60
  INT = "2147483647"; BIGINT = "9223372036854775807"

  # Characters of UTF-8, and what stands between quotes: for `span`.
  more = "[\200-\277]"
  UTF8 = "^([\001-\177]|[\302-\337]" more "|\340[\240-\277]" more "|[\341-\354\356\357]" more more "|\355[\200-\237]" more \
    "|\360[\220-\277]" more more "|[\361-\363]" more more more "|\364[\200-\217]" more more ")*"
  QUOTED = "^[^\"]*(\"\"[^\"]*)*"
  two = "[0-9][0-9]"
  TIME = "^[+-]?" two two "[0-9]?-" two "-" two "[T ]" two ":" two ":" two "([.][0-9]+)?(Z| ?UTC|[+-]" two "(:?" two ")?)?$"

  split(ENVIRON["DAY"], day, "-")
  # The calendar in UTC, of more days than the day's times can be of.
  for (y = day[1] - 1; y <= day[1] + 1; y++)
    for (m = 1; m <= 12; m++)
      for (d = 1; d <= month_length(y, m); d++) date_of[days_since_1970(y, m, d)] = sprintf("%04d-%02d-%02d", y, m, d)
  changes = split(ENVIRON["OFFSETS"], change, "\n")
  for (i = 1; i <= changes; i++) {
    split(change[i], part, /[ :]/)
    offset[i] = (part[2] ~ /^-/ ? -1 : 1) * (substr(part[2], 2) * 3600 + part[3] * 60 + part[4])
    # Up to which time of the clock the old offset counts: in an hour that is there twice, and in one that is left out.
    if (i > 1) until[i - 1] = part[1] + (offset[i] > offset[i - 1] ? offset[i] : offset[i - 1])
  }
  midnight = days_since_1970(day[1], day[2], day[3]) * 86400
  day_begin = utc(midnight); day_end = utc(midnight + 86400)
}

function bare(line) {
  return line
}

# Names are compared without what is around them, as sales_input.py does.
function head(line,   i) {
  if (!fields(line)) return ""
  for (i = 1; i <= COLUMNS; i++) if (trim(cell[i], "\r") != name[i]) return ""
  return NAMES ",amount"
}

function judge(line,   i, order_id, at, quantity, cents) {
  if (index(line, "\0") || line ~ /[\200-\377]/ && span(line, 1, UTF8) <= length(line)) return "not_utf8"
  if (!fields(line)) return "wrong_columns"
  for (i = 1; i <= COLUMNS; i++) if (cell[i] !~ /[^ \t]/) return "missing_value"
  order_id = whole(trim(cell[1]), BIGINT); at = instant(trim(cell[2])); quantity = whole(trim(cell[6]), INT)
  if (order_id == "" || at == "" || quantity == "" || !money(trim(cell[7]))) return "wrong_type"
  if (quantity + 0 < 1 || quantity + 0 > MAX_QUANTITY || price_sign == "-") return "out_of_range"
  for (i = 3; i <= COLUMNS; i++) if (i != 6 && i != 7 && length(cell[i]) > MAX_TEXT) return "out_of_range"
  if (at == "another day") return "wrong_date"
  # Cents by themselves: an awk's numbers hold 2^53, the largest amount has more hundredths.
  cents = quantity * price_cents
  clean = order_id "," at "," quoted(cell[3]) "," quoted(cell[4]) "," quoted(cell[5]) "," quantity "," \
    price_whole "." price_cents "," quoted(cell[8]) "," quoted(cell[9]) "," \
    sprintf("%.0f.%02d", quantity * price_whole + int(cents / 100), cents % 100)
  return ""
}

# Split a line into `cell`. Return whether it has as many fields as there are columns.
function fields(line,   n, end) {
  line = line ","
  for (n = 1; n <= COLUMNS && line != ""; n++) {
    if (substr(line, 1, 1) == "\"") {
      end = span(line, 2, QUOTED)
      if (substr(line, end, 1) != "\"") return 0
      cell[n] = substr(line, 2, end - 2)
      # A longer one has more than MAX_TEXT bytes with each two quotes as one, too.
      if (end <= 2 * MAX_TEXT + 2) gsub(/""/, "\"", cell[n])
      line = substr(line, end + 1)
      end = match(line, /[^ \t]/)
      if (substr(line, end, 1) != ",") return 0
    } else {
      end = index(line, ",")
      cell[n] = substr(line, 1, end - 1)
    }
    line = substr(line, end + 1)
  }
  return n > COLUMNS && line == ""
}

# Return the place behind what a pattern that repeats matches from a place on. It is matched piece by piece, with memory for one.
function span(text, place, pattern) {
  while (match(substr(text, place, 1000), pattern) && RLENGTH > 0) place += RLENGTH
  return place
}

# Return a whole number in one spelling; "" for a text that is none, or one that its type cannot hold.
function whole(text, largest,   sign) {
  sign = substr(text, 1, 1)
  if (sign == "-" || sign == "+") text = substr(text, 2)
  if (text == "" || text ~ /[^0-9]/) return ""
  text = without_zeros(text)
  if (sign == "-") largest = substr(largest, 1, length(largest) - 1) "8"
  if (length(text) > length(largest) || length(text) == length(largest) && text > largest) return ""
  return (sign == "-" && text != "0" ? "-" : "") text
}

# Read a price into price_sign ("-" below zero), price_whole and price_cents. Return whether it is one.
function money(text,   point) {
  price_sign = substr(text, 1, 1)
  if (price_sign == "-" || price_sign == "+") text = substr(text, 2)
  point = index(text, ".")
  price_whole = point ? substr(text, 1, point - 1) : text
  price_cents = point ? substr(text, point + 1) : ""
  if (price_whole price_cents == "" || price_whole ~ /[^0-9]/ || price_cents ~ /[^0-9]/) return 0
  price_whole = without_zeros(price_whole)
  if (length(price_whole) > 10 || substr(price_cents, 3) ~ /[^0]/) return 0
  price_cents = substr(price_cents "00", 1, 2)
  if (price_whole == "0" && price_cents == "00") price_sign = ""
  return 1
}

function without_zeros(digits) {
  return match(digits, /[^0]/) ? substr(digits, RSTART) : "0"
}

# Return a time in UTC in one spelling, "another day" for one that is not the day's; "" for a text that is none.
function instant(text,   year, month, date, hour, minute, second, fraction, zone, minutes, days) {
  if (length(text) > 40 || text !~ TIME) return ""
  year = text + 0
  sub(/^[+-]?[0-9]+-/, "", text)
  month = substr(text, 1, 2) + 0; date = substr(text, 4, 2) + 0
  hour = substr(text, 7, 2); minute = substr(text, 10, 2); second = substr(text, 13, 2)
  zone = substr(text, 15)
  if (match(zone, /^[.][0-9]+/)) { fraction = substr(zone, 2, RLENGTH - 1); zone = substr(zone, RLENGTH + 1) }
  if (month < 1 || month > 12 || date < 1 || date > month_length(year, month)) return ""
  if (hour > 23 || minute > 59 || second > 59 || length(fraction) > 9) return ""
  second += days_since_1970(year, month, date) * 86400 + hour * 3600 + minute * 60
  if (zone == "") second = utc(second)
  else if (zone ~ /^[+-]/) {
    minutes = length(zone) > 3 ? substr(zone, length(zone) - 1) : 0
    if (minutes > 59) return ""
    minutes += substr(zone, 2, 2) * 60
    if (minutes > MAX_OFFSET) return ""
    second -= (zone ~ /^-/ ? -60 : 60) * minutes
  }
  if (second < day_begin || second >= day_end) return "another day"
  days = int(second / 86400)
  if (days * 86400 > second) days--
  second -= days * 86400
  fraction = substr(fraction "000000", 1, 6)
  return date_of[days] sprintf("T%02d:%02d:%02d", int(second / 3600), int(second / 60) % 60, second % 60) \
    (fraction == "000000" ? "" : "." fraction) "Z"
}

# Return the seconds since 1970 in UTC of those that the zone's clocks show. Of an hour that is there twice it is the first one;
# one that is left out counts on from the hour before.
function utc(seconds,   i) {
  for (i = 1; i < changes && seconds >= until[i]; i++);
  return seconds - offset[i]
}

function month_length(year, month) {
  return substr("312831303130313130313031", 2 * month - 1, 2) + (month == 2 && !(year % 4) && (year % 100 || !(year % 400)))
}

# Leap years repeat after 400 years: so many more make each year positive.
function days_since_1970(year, month, date) {
  if (month < 3) { year--; month += 12 }
  year += 400000
  return 365 * year + int(year / 4) - int(year / 100) + int(year / 400) + int((153 * month - 457) / 5) + date - 719469 - 146097000
}

# Return a text as a CSV field.
function quoted(text) {
  if (text !~ /[,"\r]/) return text
  gsub(/"/, "\"\"", text)
  return "\"" text "\""
}
