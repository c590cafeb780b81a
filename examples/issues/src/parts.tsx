/** Small parts of the page. */
import { useCallback, useState } from 'react'
import type { PersonFragment } from '../generated/gql/graphql.ts'

/** A person, as a round letter. */
export function Avatar({ person, title }: { readonly person: PersonFragment; readonly title?: string }) {
  return (
    <span
      className="avatar"
      style={{ background: person.color }}
      title={title ?? person.name}
      aria-hidden="true"
    >
      {person.name.slice(0, 1)}
    </span>
  )
}

/** What went wrong last, and how to say so. */
export function useFailure() {
  const [failure, setFailure] = useState('')
  const fail = useCallback((reason: unknown) => setFailure(String(reason)), [])
  return { fail, failure: failure === '' ? null : <p role="alert">{failure}</p> }
}
