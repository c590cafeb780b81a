/** The list of tags: queried once, then kept up by changes. */
import { useLiveList } from 'rowcast/react'
import { graphql } from '../generated/gql.ts'
import type { TagRowFragment } from '../generated/graphql.ts'
import { changes, queries } from './clients.ts'
import { highlight, useHighlights } from './highlights.ts'

// One fragment for both, so that a row is the same thing whichever way it came.
graphql(`
  fragment TagRow on Tag {
    id
    name
    color
  }
`)

const TagsDocument = graphql(`
  query Tags($take: Int!) {
    tags(take: $take) {
      ...TagRow
    }
  }
`)

const TagChangedDocument = graphql(`
  subscription TagChanged($after: Cursor) {
    tagChanged(after: $after) {
      action
      cursor
      key {
        rowId
      }
      old {
        rowId
      }
      new {
        ...TagRow
      }
      unavailable
    }
  }
`)

/** As many as one query gives: what moves between two pages while rows come and go would be missed. */
const TAKE_MAX = 200

async function loadTags(): Promise<readonly TagRowFragment[]> {
  const { data, error } = await queries.query(TagsDocument, { take: TAKE_MAX }).toPromise()
  if (data === undefined) throw error ?? new Error('The server sent no tags.')
  return data.tags
}

const STATUS = {
  loading: 'Loading …',
  live: 'Live',
  reconnecting: 'Connection lost. Reconnecting …',
  ended: 'Ended',
} as const

/** The page. */
export function TagList() {
  const { rows, status, error } = useLiveList({
    client: changes,
    load: loadTags,
    request: { query: TagChangedDocument },
    key: 'id',
    take: TAKE_MAX,
    sort: (a, b) => a.name.localeCompare(b.name),
    onChange: ({ action, new: row }) => row && highlight(row.id, action),
  })
  const highlights = useHighlights()
  return (
    <main>
      <h1>Tags</h1>
      <p role="status" data-status={status} className="status">
        {STATUS[status]}
      </p>
      {error instanceof Error ? <p role="alert">{error.message}</p> : null}
      <ul aria-label="Tags">
        {rows.map(({ id, name, color }) => (
          <li key={id} data-id={id} data-new={highlights.get(id)}>
            <span className="swatch" style={{ background: color ?? 'transparent' }} />
            {name}
          </li>
        ))}
      </ul>
      <p className="count">{rows.length === 1 ? '1 tag' : `${rows.length} tags`}</p>
    </main>
  )
}
