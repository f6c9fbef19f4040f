-- The warehouse of sales: a star of facts and dimensions in the schema sales, and what reports read in the schema mart.
-- Every statement can run again. Keys of dimensions are numbers of the warehouse's own; natural keys are unique.
-- A row of a b-tree has at most 2,704 bytes: two texts of a sales row, of 1,024 bytes each, fit in it, three do not.

CREATE SCHEMA IF NOT EXISTS sales;
CREATE SCHEMA IF NOT EXISTS mart;

CREATE TABLE IF NOT EXISTS sales.dim_date (
    date_key    integer PRIMARY KEY,            -- 20260115
    date        date NOT NULL UNIQUE,
    weekday     smallint NOT NULL,              -- 1 is Monday
    month       date NOT NULL                   -- its first day
);

-- A product has the category of the latest day that sold it, whatever day was loaded last; the mart has each day's own.
CREATE TABLE IF NOT EXISTS sales.dim_product (
    product_key    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    product_id     text NOT NULL UNIQUE,
    category       text NOT NULL,
    category_as_of date NOT NULL                -- that day
);

-- For a warehouse made before the column was. Only then: ALTER TABLE keeps readers waiting, also if it has nothing to do.
DO $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM pg_attribute
        WHERE attrelid = 'sales.dim_product'::regclass AND attname = 'category_as_of' AND NOT attisdropped
    ) THEN
        ALTER TABLE sales.dim_product ADD COLUMN IF NOT EXISTS category_as_of date NOT NULL DEFAULT '-infinity';
    END IF;
END
$$;

CREATE TABLE IF NOT EXISTS sales.dim_customer (
    customer_key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id  text NOT NULL UNIQUE
);

CREATE TABLE IF NOT EXISTS sales.dim_place (
    place_key   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    region      text NOT NULL,
    channel     text NOT NULL,
    UNIQUE (region, channel)
);

-- A line of an order; lines of one order and day are numbered in the order of all their columns.
CREATE TABLE IF NOT EXISTS sales.fact_sales (
    date_key     integer NOT NULL REFERENCES sales.dim_date,
    order_id     bigint NOT NULL,
    line         integer NOT NULL,
    ordered_at   timestamptz NOT NULL,
    product_key  bigint NOT NULL REFERENCES sales.dim_product,
    customer_key bigint NOT NULL REFERENCES sales.dim_customer,
    place_key    bigint NOT NULL REFERENCES sales.dim_place,
    quantity     integer NOT NULL CHECK (quantity > 0),
    unit_price   numeric(12, 2) NOT NULL,
    amount       numeric(18, 2) NOT NULL,
    PRIMARY KEY (date_key, order_id, line)
);

CREATE TABLE IF NOT EXISTS mart.daily_sales (
    date     date NOT NULL,
    category text NOT NULL,
    region   text NOT NULL,
    channel  text NOT NULL,
    orders   bigint NOT NULL,
    items    bigint NOT NULL,
    revenue  numeric(38, 2) NOT NULL
);

-- One row for each category and place of a day. The index has 64 bits of each text, because it cannot hold all three.
-- It replaces the primary key of a warehouse that was made before; the check first, for the same reason as above.
DO $$
BEGIN
    IF to_regclass('mart.daily_sales_key') IS NULL THEN
        ALTER TABLE mart.daily_sales DROP CONSTRAINT IF EXISTS daily_sales_pkey;
        CREATE UNIQUE INDEX daily_sales_key ON mart.daily_sales
            (date, hashtextextended(category, 0), hashtextextended(region, 0), hashtextextended(channel, 0));
    END IF;
END
$$;

-- What a load copies into, its session's own.
CREATE TEMPORARY TABLE staging (
    order_id    bigint,
    ordered_at  timestamptz,
    customer_id text,
    product_id  text,
    category    text,
    quantity    integer,
    unit_price  numeric(12, 2),
    region      text,
    channel     text,
    amount      numeric(18, 2)
) ON COMMIT DROP;
