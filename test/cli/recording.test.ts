/** Recordings: what was written comes back, and of a file that was cut all that is whole. */
import { mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { createRecording, openRecording } from '../../src/cli/recording.ts'

const folder = mkdtempSync(join(tmpdir(), 'rowcast-recording-'))
afterAll(() => rmSync(folder, { recursive: true }))

const HEADER = { systemId: '7300000000000000001', timeline: 3, publication: 'rowcast' }
let files = 0

async function write(frames: readonly Uint8Array[]): Promise<string> {
  files += 1
  const file = join(folder, `${files}.rec`)
  const writer = await createRecording(file, HEADER)
  for (const frame of frames) {
    // Somewhere in a larger buffer, as they come from the socket.
    const bytes = Buffer.concat([Buffer.from('ab'), frame, Buffer.from('c')])
    writer.write(bytes, 2, 2 + frame.length)
    await writer.backlog()
  }
  await writer.close()
  expect(writer.frames).toBe(frames.length)
  return file
}

async function read(file: string) {
  const recording = await openRecording(file)
  const frames: string[] = []
  for await (const frame of recording.frames()) frames.push(frame.toString('hex'))
  await recording.close()
  return { header: recording.header, isCut: recording.isCut, frames }
}

it('is readable by its owner alone: it holds hidden fields too', async () => {
  expect(statSync(await write([])).mode & 0o777).toBe(0o600)
})

const hex = (frames: readonly Uint8Array[]) => frames.map((frame) => Buffer.from(frame).toString('hex'))
const anyFrames = fc.array(fc.uint8Array({ minLength: 1, maxLength: 60 }), { maxLength: 12 })

describe('a recording', () => {
  it('gives back what was written', async () => {
    await fc.assert(
      fc.asyncProperty(anyFrames, async (frames) => {
        expect(await read(await write(frames))).toEqual({ header: HEADER, isCut: false, frames: hex(frames) })
      }),
      { numRuns: 50 },
    )
  })

  it('that was cut off gives back what is whole, and says so', async () => {
    await fc.assert(
      fc.asyncProperty(anyFrames, fc.nat(200), async (frames, kept) => {
        const file = await write(frames)
        const head = JSON.stringify({ rowcast: 'recording', version: 1, ...HEADER }).length + 1
        let at = 0
        const ends = frames.map((frame) => (at += 4 + frame.length))
        const length = Math.min(kept, ends.at(-1) ?? 0)
        truncateSync(file, head + length)
        const whole = ends.filter((end) => end <= length).length
        const { isCut, frames: found } = await read(file)
        expect(found).toEqual(hex(frames.slice(0, whole)))
        expect(isCut).toBe(length !== (ends[whole - 1] ?? 0))
      }),
      { numRuns: 50 },
    )
  })

  it('may have messages beyond what is read in one go', async () => {
    const large = [Buffer.alloc(3_000_000, 1), Buffer.alloc(1, 2), Buffer.alloc(1_048_576, 3)]
    expect((await read(await write(large))).frames).toEqual(hex(large))
  })

  it.each([
    ['no recording', 'something else\n'],
    ['an empty file', ''],
    ['another version', '{"rowcast":"recording","version":2,"systemId":"1","timeline":1}\n'],
    [
      'a length that cannot be',
      '{"rowcast":"recording","version":1,"systemId":"1","timeline":1}\n\0\0\0\0abc',
    ],
  ])('is distinguished from %s', async (_name, content) => {
    const file = join(folder, 'wrong.rec')
    writeFileSync(file, content)
    await expect(read(file)).rejects.toMatchObject({ code: 'RECORDING_UNREADABLE' })
  })

  it('is never written over, and not where no file can be', async () => {
    const file = await write([])
    await expect(createRecording(file, HEADER)).rejects.toMatchObject({
      ...{ code: 'RECORDING_UNREADABLE', hint: 'Name another file, or remove it.' },
    })
    await expect(createRecording(join(folder, 'no/such.rec'), HEADER)).rejects.toMatchObject({
      code: 'CLI_FILE_UNWRITABLE',
    })
    await expect(openRecording(join(folder, 'absent.rec'))).rejects.toMatchObject({
      code: 'RECORDING_UNREADABLE',
    })
  })
})
