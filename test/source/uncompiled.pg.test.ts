/** PostgreSQL compiles no statement of ours, whatever the role's default: where it is built with LLVM, that takes seconds for each look. */
import { expect, it } from 'vitest'
import { withDatabaseSession, withSqlClient } from '../../src/source/db/sql.ts'
import { openReplicationConnection } from '../../src/wire/connection.ts'
import { openDatabase } from '../support/database.ts'

interface Setting {
  readonly jit: string
}

it('no session of ours compiles what it runs: not a look, not set-up, not the walsender before its stream', async () => {
  await using database = await openDatabase()
  await database.query(`ALTER DATABASE ${database.name} SET jit = on`)
  const { target } = database
  const ask = `SELECT current_setting('jit') AS jit`
  const connection = await openReplicationConnection(target, { applicationName: 'rowcast test' })
  try {
    const asked = [
      await withDatabaseSession(target, (sql) => sql.query<Setting>(ask)),
      await withSqlClient(target, (sql) => sql.query<Setting>(ask)),
      await connection.query<Setting>(ask),
    ]
    expect(asked.flat()).toEqual([{ jit: 'off' }, { jit: 'off' }, { jit: 'off' }])
  } finally {
    await connection.close()
  }
})
