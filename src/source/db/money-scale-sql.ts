/** Stage 5, source. Digits of money after the point, asked of the server. */

/**
 * An expression of SQL. It counts under the lc_monetary of database and role, which sessions of ours do not have; until the
 * transaction ends, this one has it.
 */
export const MONEY_SCALE_SQL = `(SELECT scale(('0' || left(value, 0))::money::numeric)
            FROM (SELECT set_config('lc_monetary', reset_val, true) AS value
                    FROM pg_settings WHERE name = 'lc_monetary' OFFSET 0) AS monetary)`
