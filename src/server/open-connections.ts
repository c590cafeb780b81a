/** Stage 8, server. What a server says of its clients. */

/** Open connections of clients. */
export interface OpenConnections {
  readonly webSockets: number
  readonly eventStreams: number
  readonly multipartStreams: number
  /** What they, and answers over HTTP, hold that their clients have not taken. */
  readonly unsentBytes: number
}
