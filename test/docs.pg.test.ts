/** The SQL of README and docs runs on a database with the sample's tables. */
import { describe, it } from 'vitest'
import { openDatabase } from './support/database.ts'
import { listBlocks } from './support/doc-blocks.ts'

describe.each(listBlocks('sql').map((block) => [block.place, block.text] as const))(
  'the SQL of %s',
  (_, text) => {
    it('runs', async () => {
      await using database = await openDatabase({ migrate: true })
      await database.query(text)
    })
  },
)
