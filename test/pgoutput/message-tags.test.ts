/** Stage 2, pgoutput: the tag table. */
import { expect, it } from 'vitest'
import { findMessageTag, MESSAGE_TAGS } from '../../src/pgoutput/message-tags.ts'
import { MESSAGE_ARBITRARIES } from '../support/message-arbitraries.ts'

it('has each kind of message once, each under a byte of its own', () => {
  expect(MESSAGE_TAGS.map((row) => row.kind).sort()).toEqual(Object.keys(MESSAGE_ARBITRARIES).sort())
  expect(new Set(MESSAGE_TAGS.map((row) => row.tag)).size).toBe(MESSAGE_TAGS.length)
})

it('finds a row by its byte, and none for other bytes', () => {
  for (const row of MESSAGE_TAGS) expect(findMessageTag(row.tag.charCodeAt(0))).toBe(row)
  const found = Array.from({ length: 256 }, (_, byte) => findMessageTag(byte)).filter(Boolean)
  expect(found).toHaveLength(MESSAGE_TAGS.length)
  expect(findMessageTag(undefined)).toBeUndefined()
})
