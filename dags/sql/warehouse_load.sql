-- A day's rows from staging into the star, in the place of what the day had: the same rows again change nothing.
-- Dimensions are taken in the order of their keys, so that two days at once wait for each other and do not lock up.

INSERT INTO sales.dim_date (date_key, date, weekday, month)
SELECT to_char(%(date)s::date, 'YYYYMMDD')::integer, %(date)s::date, extract(isodow FROM %(date)s::date), date_trunc('month', %(date)s::date)
ON CONFLICT (date_key) DO NOTHING;

-- Of a product with two categories in one day, the last one stays; of two days, that of the later day.
INSERT INTO sales.dim_product AS known (product_id, category, category_as_of)
SELECT DISTINCT ON (product_id) product_id, category, %(date)s::date
FROM staging
ORDER BY product_id, ordered_at DESC, category
ON CONFLICT (product_id) DO UPDATE SET category = excluded.category, category_as_of = excluded.category_as_of
WHERE excluded.category_as_of >= known.category_as_of
  AND (excluded.category, excluded.category_as_of) IS DISTINCT FROM (known.category, known.category_as_of);

INSERT INTO sales.dim_customer (customer_id)
SELECT DISTINCT customer_id FROM staging ORDER BY customer_id
ON CONFLICT (customer_id) DO NOTHING;

INSERT INTO sales.dim_place (region, channel)
SELECT DISTINCT region, channel FROM staging ORDER BY region, channel
ON CONFLICT (region, channel) DO NOTHING;

CREATE TEMPORARY TABLE facts ON COMMIT DROP AS
SELECT
    to_char(%(date)s::date, 'YYYYMMDD')::integer AS date_key,
    order_id,
    row_number() OVER (
        PARTITION BY order_id
        ORDER BY ordered_at, customer_id, product_id, staging.category, quantity, unit_price, region, channel
    )::integer AS line,
    ordered_at, product_key, customer_key, place_key, quantity, unit_price, amount
FROM staging
JOIN sales.dim_product USING (product_id)
JOIN sales.dim_customer USING (customer_id)
JOIN sales.dim_place USING (region, channel);

-- A corrected day may have fewer lines than before.
DELETE FROM sales.fact_sales AS old
WHERE old.date_key = to_char(%(date)s::date, 'YYYYMMDD')::integer
  AND NOT EXISTS (SELECT 1 FROM facts WHERE (facts.order_id, facts.line) = (old.order_id, old.line));

INSERT INTO sales.fact_sales AS known
    (date_key, order_id, line, ordered_at, product_key, customer_key, place_key, quantity, unit_price, amount)
SELECT date_key, order_id, line, ordered_at, product_key, customer_key, place_key, quantity, unit_price, amount
FROM facts
ON CONFLICT (date_key, order_id, line) DO UPDATE
SET ordered_at = excluded.ordered_at, product_key = excluded.product_key, customer_key = excluded.customer_key,
    place_key = excluded.place_key, quantity = excluded.quantity, unit_price = excluded.unit_price, amount = excluded.amount
WHERE (known.ordered_at, known.product_key, known.customer_key, known.place_key, known.quantity, known.unit_price, known.amount)
    IS DISTINCT FROM
      (excluded.ordered_at, excluded.product_key, excluded.customer_key, excluded.place_key, excluded.quantity,
       excluded.unit_price, excluded.amount);

DELETE FROM mart.daily_sales WHERE date = %(date)s::date;

INSERT INTO mart.daily_sales (date, category, region, channel, orders, items, revenue)
SELECT %(date)s::date, category, region, channel, count(DISTINCT order_id), sum(quantity), sum(amount)
FROM staging
GROUP BY category, region, channel;
