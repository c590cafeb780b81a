/** What a newcomer reads to be helped: the runtime that is too old, and the address that is in a `.env` nobody reads. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { hintIn } from '../../src/cli/package-manager.ts'
import { checkNode } from '../../src/cli/peers.ts'
import { RowcastError } from '../../src/errors.ts'

test.each(['18.20.8', '20.18.3', '19.9.0'])('Node.js %s is one sentence', (version) => {
  expect(() => checkNode(version)).toThrow(
    `[CLI_NODE_TOO_OLD] rowcast needs Node.js 20.19 or later; this is ${version}.`,
  )
})

test.each(['20.19.0', '22.0.0', '26.1.0', process.versions.node])('Node.js %s is let through', (version) => {
  expect(() => checkNode(version)).not.toThrow()
})

test('the oldest is that of package.json', () => {
  const { engines } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  expect(engines.node).toBe('>=20.19')
})

test.each([
  ['DATABASE_URL="postgresql://a@b/c"\n', 'CONFIG_NO_DATABASE', true],
  ['# of the shop\nexport DATABASE_URL=postgresql://a@b/c\n', 'CONFIG_INVALID', true],
  ['#DATABASE_URL=x\nOTHER_DATABASE_URL=x\n', 'CONFIG_NO_DATABASE', false],
  [null, 'CONFIG_NO_DATABASE', false],
  ['DATABASE_URL=postgresql://a@b/c\n', 'CONFIG_BAD_PORT', false],
] as const)('%j and %s: who is to read .env is said: %s', (text, code, isSaid) => {
  const folder = mkdtempSync(join(tmpdir(), 'rowcast-hint-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  if (text !== null) writeFileSync(join(folder, '.env'), text)
  const details = code === 'CONFIG_INVALID' ? { codes: 'CONFIG_BAD_PORT CONFIG_NO_DATABASE' } : {}
  const hint = hintIn(folder, new RowcastError(code, 'Not set.', { hint: 'Set it.', details }))
  expect(hint).toMatch(isSaid ? /import "dotenv\/config"/ : /^Set it\.$/)
})
