/**
 * `npm run record:vectors`: records test/vectors again, from an embedded PostgreSQL of each major version (or of those
 * named as arguments). What stands there as expected is what the decoder says today: read the difference.
 */
import pg from 'pg'
import { decodeMessage } from '../../../src/pgoutput/decode.ts'
import type { ProtocolVersion } from '../../../src/pgoutput/messages.ts'
import { quoteLiteral } from '../../../src/wire/quote.ts'
import { parseMajors } from '../major-runs.ts'
import { describeMessage } from '../message-builder.ts'
import { openPostgres } from '../postgres.ts'
import { openReplicationTap } from './replication-tap.ts'
import { type RecordedMessage, writeRecording } from './vector-file.ts'
import {
  changeStatements,
  listPublications,
  STREAM_PREPARE_STEPS,
  STREAM_STEPS,
  type StreamStep,
  schemaStatements,
  TWO_PHASE_STATEMENTS,
} from './vector-workload.ts'

/** One slot read with one set of options. */
interface Capture {
  readonly name: string
  /** First major version that can do it. */
  readonly since: number
  readonly options: Readonly<Record<string, string>>
}

/** Read with SQL after everything has been committed. */
const COMMITTED: readonly Capture[] = [
  { name: 'v1-text', since: 14, options: { proto_version: '1' } },
  { name: 'v1-binary', since: 14, options: { proto_version: '1', binary: 'true' } },
  { name: 'v3-two-phase', since: 15, options: { proto_version: '3', two_phase: 'true' } },
]

/** Read from a replication connection while the transactions are open. */
const STREAMED: readonly Capture[] = [
  { name: 'v2-streaming', since: 14, options: { proto_version: '2', streaming: 'on' } },
  {
    name: 'v3-streaming-two-phase',
    since: 15,
    options: { proto_version: '3', streaming: 'on', two_phase: 'true' },
  },
  {
    name: 'v4-parallel',
    since: 16,
    options: { proto_version: '4', streaming: 'parallel', two_phase: 'true', binary: 'true' },
  },
]

function fullOptions(capture: Capture, major: number): Readonly<Record<string, string>> {
  return { ...capture.options, messages: 'true', publication_names: listPublications(major) }
}

function slotOf(capture: Capture): string {
  return capture.name.replaceAll('-', '_')
}

async function createSlot(client: pg.Client, capture: Capture): Promise<void> {
  const isTwoPhase = capture.options['two_phase'] === 'true'
  await client.query('SELECT pg_create_logical_replication_slot($1, $2, false, $3)', [
    slotOf(capture),
    'pgoutput',
    isTwoPhase,
  ])
}

/** Decodes messages in the order they were sent. */
function describeAll(payloads: readonly Buffer[], protocolVersion: ProtocolVersion): RecordedMessage[] {
  let isStreamed = false
  return payloads.map((bytes) => {
    const message = decodeMessage(bytes, 0, bytes.length, { protocolVersion, isStreamed })
    if (message.kind === 'stream-start') isStreamed = true
    if (message.kind === 'stream-stop') isStreamed = false
    return { hex: bytes.toString('hex'), expected: describeMessage(message) }
  })
}

async function readSlot(client: pg.Client, capture: Capture, major: number): Promise<Buffer[]> {
  const options = Object.entries(fullOptions(capture, major)).flat().map(quoteLiteral).join(', ')
  const { rows } = await client.query<{ data: Buffer }>(
    `SELECT data FROM pg_logical_slot_get_binary_changes('${slotOf(capture)}', NULL, NULL, ${options})`,
  )
  return rows.map((row) => row.data)
}

/** Runs the steps; after a flood goes on only when PostgreSQL has sent a block of the open transaction. */
async function streamSteps(
  client: pg.Client,
  capture: Capture,
  major: number,
  url: string,
): Promise<Buffer[]> {
  await client.query('TRUNCATE "schéma"."täble", full_identity, no_key')
  await createSlot(client, capture)
  await using tap = await openReplicationTap(url, slotOf(capture), fullOptions(capture, major))
  const isTwoPhase = capture.options['two_phase'] === 'true'
  const steps: readonly StreamStep[] = isTwoPhase ? [...STREAM_STEPS, ...STREAM_PREPARE_STEPS] : STREAM_STEPS
  for (const step of steps) {
    await client.query(step.sql)
    if (!step.isFlood) continue
    // Not transactional: it is sent as soon as everything before it has been decoded, and that once it is on disk.
    const before = tap.count('M')
    await client.query("SELECT pg_logical_emit_message(false, 'flooded', ''); CHECKPOINT")
    await tap.until(() => tap.count('M') > before)
  }
  const before = tap.count('C')
  await client.query("SELECT pg_logical_emit_message(true, 'end', '')")
  await tap.until(() => tap.count('C') > before)
  return tap.payloads.slice()
}

async function recordMajor(major: number): Promise<void> {
  const settings = {
    max_prepared_transactions: 10,
    logical_decoding_work_mem: '64kB',
    autovacuum: false,
  }
  await using postgres = await openPostgres({ settings }, major)
  const url = postgres.cluster.connectionString()
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    for (const sql of schemaStatements(major)) await client.query(sql)
    const committed = COMMITTED.filter((capture) => capture.since <= major)
    for (const capture of committed) await createSlot(client, capture)
    for (const sql of [...changeStatements(major), ...TWO_PHASE_STATEMENTS]) await client.query(sql)
    for (const capture of committed) save(capture, await readSlot(client, capture, major))
    for (const capture of STREAMED.filter(({ since }) => since <= major)) {
      save(capture, await streamSteps(client, capture, major, url))
    }
  } finally {
    await client.end()
  }

  function save(capture: Capture, payloads: readonly Buffer[]): void {
    const protocolVersion = Number(capture.options['proto_version']) as ProtocolVersion
    const messages = describeAll(payloads, protocolVersion)
    const options = fullOptions(capture, major)
    writeRecording(major, capture.name, { server: postgres.cluster.version, options, messages })
    const tags = payloads.map((payload) => String.fromCharCode(payload[0] ?? 0)).join('')
    process.stdout.write(`PostgreSQL ${postgres.cluster.version} ${capture.name}: ${tags}\n`)
  }
}

for (const major of parseMajors(process.argv.slice(2))) await recordMajor(major)
