/** Where models changed last, where somebody else has written there: then it is not known, and no entry suffers for it. */
import { crc32 } from 'node:zlib'
import { expect, it } from 'vitest'
import {
  askWhatFollows,
  LastPositions,
  noteLastPositions,
  parseBefore,
} from '../../src/broker/last-positions.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { TESTED_ENGINES } from '../support/broker-engines.ts'
import { createEpoch, EPOCH } from '../support/broker-stream.ts'

const PLACE = 'stream 300-0'
const position = { commitLsn: toLsn(200n), index: 1 }

it.each(TESTED_ENGINES)(
  'in $name, what is no position is not known, of its model alone',
  async ({ start }) => {
    await using broker = await start()
    const log = await broker.open('tap')
    const keys = (await createEpoch(log, 'slot')).keys.epoch(EPOCH.id)
    const sealed = async (model: string) => {
      await broker.write(noteLastPositions(keys, new Map([[model, position]])))
      return String((await log.readAllFields(keys.lasts)).get(model))
    }
    // A position without a checksum, of a version before; of another model; changed afterwards.
    const forged = ['200-1', await sealed('User'), (await sealed('Tag')).replace('200-1', '100-1')]
    for (const damaged of ['x', '', '200', '200-1,Post 0-0', '99999999999999999999-0', ...forged]) {
      await sealed('Post')
      await broker.write({ kind: 'fields', name: keys.lasts, fields: new Map([['Tag', damaged]]) })
      const lasts = await LastPositions.read(log, keys)
      expect(lasts.before(['Post', 'Tag'], PLACE), damaged).toBeNull()
      const ofPost = lasts.before(['Post', 'User'], PLACE) ?? ''
      expect([...parseBefore(ofPost, PLACE).keys()]).toEqual(['Post', 'User'])
      expect(await askWhatFollows(log, keys, { model: 'Tag', position })).toBe('unknown')
      expect(await askWhatFollows(log, keys, { model: 'Post', position })).toBe('nothing')
      // Its next change is known again.
      lasts.note('Tag', position)
      expect(parseBefore(lasts.before(['Tag'], PLACE) ?? '', PLACE).get('Tag')).toEqual(position)
    }
  },
)

it('what an older tap has passed on of it costs no entry', () => {
  const text = 'Post 200-1,Tag x'
  const sealed = `${crc32(text, crc32(PLACE)).toString(16).padStart(8, '0')} ${text}`
  expect(parseBefore(sealed, PLACE)).toEqual(new Map())
})
