/** Who belongs to the workspace. Whoever is taken out loses what is on his page at that moment. */
import { useLiveList } from 'rowcast/react'
import { graphql } from '../generated/gql/gql.ts'
import type { PersonFragment } from '../generated/gql/graphql.ts'
import type { Session } from './clients.ts'
import { Avatar, useFailure } from './parts.tsx'

const MembersDocument = graphql(`
  subscription Members($workspaceId: ID!, $after: Cursor) {
    memberChanged(initial: true, where: { workspaceId: { equals: $workspaceId } }, after: $after) {
      action
      cursor
      transition
      key {
        workspaceId
        personId
      }
      new {
        workspaceId
        personId
        person {
          ...Person
        }
      }
    }
  }
`)

const AddMemberDocument = graphql(`
  mutation AddMember($workspaceId: Int!, $personId: String!) {
    addMember(workspaceId: $workspaceId, personId: $personId)
  }
`)

const RemoveMemberDocument = graphql(`
  mutation RemoveMember($workspaceId: Int!, $personId: String!) {
    removeMember(workspaceId: $workspaceId, personId: $personId)
  }
`)

interface MembersProps {
  readonly session: Session
  readonly people: readonly PersonFragment[]
  readonly workspaceId: string
}

/** Their names, to be added and taken out. */
export function Members({ session, people, workspaceId }: MembersProps) {
  const { rows } = useLiveList({
    client: session.changes,
    request: { query: MembersDocument, variables: { workspaceId } },
    key: ['workspaceId', 'personId'],
    sort: (a, b) => a.personId.localeCompare(b.personId),
  })
  const { fail, failure } = useFailure()
  const isMember = (id: string) => rows.some(({ personId }) => personId === id)
  const of = (personId: string) => ({ workspaceId: Number(workspaceId), personId })
  return (
    <details className="members">
      <summary aria-label="Members">
        {rows.map(({ personId, person }) => (
          <Avatar key={personId} person={person} />
        ))}
      </summary>
      {failure}
      <ul>
        {people.map((person) => (
          <li key={person.id}>
            <Avatar person={person} /> {person.name}
            {isMember(person.id) ? (
              <button
                type="button"
                className="button"
                onClick={() => session.ask(RemoveMemberDocument, of(person.id)).catch(fail)}
              >
                Remove {person.name}
              </button>
            ) : (
              <button
                type="button"
                className="button"
                onClick={() => session.ask(AddMemberDocument, of(person.id)).catch(fail)}
              >
                Add {person.name}
              </button>
            )}
          </li>
        ))}
      </ul>
    </details>
  )
}
