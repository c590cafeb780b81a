CREATE EXTENSION citext;
CREATE EXTENSION ltree;
CREATE EXTENSION hstore;
CREATE EXTENSION cube;
CREATE TYPE mood_type AS ENUM ('plain', 'red one', 'b,"\{}', 'NULL', '');
CREATE DOMAIN word AS text;
CREATE DOMAIN span AS interval;
CREATE TYPE pair AS (a int4, b text);
CREATE DOMAIN positive AS int4 CHECK (VALUE > 0);
CREATE DOMAIN numbers AS int4[];
CREATE DOMAIN price AS numeric(12, 2);
CREATE DOMAIN good_mood AS mood_type CHECK (VALUE <> 'NULL');

CREATE TABLE single_values (
  id int4 PRIMARY KEY,
  -- Not in the Prisma schema, and in the way: a reader has to step over them.
  skipped_point point DEFAULT '(1,2)',
  text text,
  varchar varchar(40),
  char char(8),
  uuid uuid,
  citext citext,
  inet inet,
  bit bit(5),
  varbit varbit(70),
  skipped_text text DEFAULT 'skipped',
  xml xml,
  int2 int2,
  int4 int4,
  oid oid,
  int8 int8,
  float4 float4,
  float8 float8,
  scaled numeric(12, 2),
  numeric numeric,
  money money,
  timestamp0 timestamp(0),
  timestamp3 timestamp(3),
  timestamp6 timestamp(6),
  timestamptz0 timestamptz(0),
  timestamptz3 timestamptz(3),
  timestamptz6 timestamptz(6),
  date date,
  time time(6),
  timetz timetz(6),
  json json,
  jsonb jsonb,
  bytes bytea,
  boolean boolean,
  mood mood_type,
  skipped_null int4
);

-- Columns in another order than the Prisma schema's fields.
CREATE TABLE list_values (
  mood mood_type[],
  boolean boolean[],
  bytes bytea[],
  jsonb jsonb[],
  json json[],
  time time(6)[],
  date date[],
  timestamptz6 timestamptz(6)[],
  timestamptz3 timestamptz(3)[],
  timestamp6 timestamp(6)[],
  timestamp3 timestamp(3)[],
  money money[],
  numeric numeric[],
  scaled numeric(12, 2)[],
  float8 float8[],
  float4 float4[],
  int8 int8[],
  oid oid[],
  int4 int4[],
  int2 int2[],
  xml xml[],
  varbit varbit(70)[],
  bit bit(5)[],
  inet inet[],
  uuid uuid[],
  char char(8)[],
  varchar varchar(40)[],
  text text[],
  id int4 PRIMARY KEY
);

CREATE TABLE altered_values (
  id int4 PRIMARY KEY,
  "stringOfCidr" cidr,
  "stringOfName" name,
  "stringOfMood" mood_type,
  "stringDomain" word,
  "intOfInt8" int8,
  "intDomain" positive,
  "intListDomain" numbers,
  "bigIntOfInt4" int4,
  "bigIntOfInt2" int2,
  "bigIntOfOid" oid,
  "floatOfInt4" int4,
  "floatOfInt2" int2,
  "floatOfInt8" int8,
  "floatOfNumeric" numeric,
  "decimalOfInt4" int4,
  "decimalOfInt8" int8,
  "decimalOfReal" float4,
  "decimalOfFloat" float8,
  "numericDomain" price,
  "dateTimeOfDate" date,
  "moodOfText" text,
  "moodDomain" good_mood,
  "stringOfLtree" ltree,
  "stringOfLquery" lquery,
  "stringOfLtxtquery" ltxtquery,
  "stringOfHstore" hstore,
  "stringOfIdentifier" information_schema.sql_identifier,
  "stringOfCharacters" information_schema.character_data,
  "intOfCardinal" information_schema.cardinal_number,
  "dateTimeOfStamp" information_schema.time_stamp
);

-- Types that Prisma Client refuses to read, and PostgreSQL prints.
CREATE TABLE refused_values (
  id int4 PRIMARY KEY,
  interval interval,
  span span,
  macaddr macaddr,
  macaddr8 macaddr8,
  int4range int4range,
  int8range int8range,
  jsonpath jsonpath,
  intervals interval[],
  labels ltree[],
  point point,
  numrange numrange,
  pair pair,
  cube cube
);
