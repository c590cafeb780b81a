/** Stage 8, server. The transports whose streams are responses over HTTP: one row each; what else one needs is said to contributors. */
import type { StreamFormat, StreamKind } from './http/result-stream-format.ts'
import { MULTIPART } from './multipart/multipart-format.ts'
import { EVENT_STREAM } from './sse/event-stream-format.ts'

const BY_KIND = {
  sse: EVENT_STREAM,
  multipart: MULTIPART,
} satisfies Readonly<Record<StreamKind, StreamFormat>>

/** Who names none of them and takes several gets the first. */
export const STREAM_FORMATS: readonly StreamFormat[] = Object.values(BY_KIND)
