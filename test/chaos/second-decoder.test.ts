/** The lines of `test_decoding`, as PostgreSQL 18 writes them. */
import { expect, it } from 'vitest'
import { abridge } from './rows.ts'
import { TextDecoder } from './second-decoder.ts'

const read = (...lines: readonly string[]) => {
  const decoder = new TextDecoder()
  for (const line of ['BEGIN 7', ...lines, 'COMMIT 7']) decoder.read('0/1A0', line)
  return decoder.transactions
}

it('are transactions with both rows of each change, NULL, quotes and types with brackets included', () => {
  const [transaction] = read(
    `table public."Tag": INSERT: id[integer]:1 name[character varying]:'it''s: [x]' color[character]:null`,
    `table public."Team_2": UPDATE: old-key: id[uuid]:'u' name[character varying]:'a' slug[character varying]:'s' new-tuple: id[uuid]:'u' name[character varying]:'b' slug[character varying]:'new-tuple: ' plan["Plan"]:null`,
    `table public.chaos_ledger: INSERT: id[integer]:5`,
    `table public."Tag": DELETE: id[integer]:1 name[character varying]:'1'`,
  )
  expect(transaction).toMatchObject({ xid: '7', endLsn: 0x1a0n, isDdl: false })
  expect(transaction?.changes).toEqual([
    { model: 'Tag', action: 'INSERT', old: null, new: { id: '1', name: "it's: [x]", color: null } },
    {
      ...{ model: 'Team', action: 'UPDATE', old: { id: 'u', name: 'a', slug: 's' } },
      new: { id: 'u', name: 'b', slug: 'new-tuple: ' },
    },
    { model: 'Tag', action: 'DELETE', old: { id: '1', name: '1', color: null }, new: null },
  ])
})

it('have a large text that did not change from the row before, and say of all long ones no more than it takes to compare', () => {
  const long = 'x'.repeat(3_000)
  const [transaction] = read(
    `table public."Post": UPDATE: old-key: id[integer]:1 title[text]:'1' body[text]:'${long}' tags[text[]]:'{a}' new-tuple: id[integer]:1 title[text]:'2' body[text]:unchanged-toast-datum tags[text[]]:'{a}'`,
    'table public.chaos_ddl: INSERT: at[timestamp with time zone]:null',
  )
  const body = abridge(long)
  expect(body.length).toBeLessThan(64)
  expect(transaction?.isDdl).toBe(true)
  expect(transaction?.changes[0]).toMatchObject({ old: { title: '1', body }, new: { title: '2', body } })
})

it('say which models a barrier of rowcast cuts, and nothing of messages of others', () => {
  const barrier = JSON.stringify({
    barrier: 1,
    slot: 's',
    published: {},
    cut: ['Team', 'Unknown'],
    cleanFrom: '0',
  })
  const message = (prefix: string, content: string, isTransactional = 1) =>
    `message: transactional: ${isTransactional} prefix: ${prefix}, sz: ${content.length} content:${content}`
  expect(read(message('rowcast', barrier))[0]?.cuts).toEqual(['Team'])
  expect(read(message('rowcast', ''))[0]?.cuts).toEqual([])
  expect(read(message('chaos', 'beside'), message('chaos', 'beside', 0))[0]?.cuts).toEqual([])
})

it('have what runs with sets write beside the ledger', () => {
  const [transaction] = read(
    `table public.team_memberships: DELETE: user_id[uuid]:'u' team_id[uuid]:'t'`,
    `table public."Comment": INSERT: id[integer]:7 "postId"[integer]:3 "authorId"[uuid]:null "parentId"[integer]:null body[text]:'said'`,
    `table public.users: INSERT: id[uuid]:'u'`,
  )
  expect(transaction?.changes).toEqual([])
  expect(transaction?.related).toEqual([
    { table: 'team_memberships', old: { user_id: 'u', team_id: 't' }, new: null },
    { table: 'Comment', old: null, new: { id: '7', body: 'said', postId: '3', authorId: null } },
  ])
})
