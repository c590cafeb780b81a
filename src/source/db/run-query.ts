/** Stage 5, source. What a question to the catalog needs of a connection, whichever kind it is. */

/** Runs one statement without parameters: a walsender takes only the simple query protocol. */
export type RunQuery = <Row extends object>(text: string) => Promise<readonly Row[]>
