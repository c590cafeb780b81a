/** GraphiQL: editors, docs and history are its own; subscriptions come over one WebSocket, and their events as a list. */
import { GraphiQL } from 'graphiql'
import { createRoot } from 'react-dom/client'
import 'graphiql/style.css'
import './styles.css'
import { createFetcher } from './fetcher.ts'
import { StreamPane } from './stream-pane.tsx'
import { createStreams } from './streams.ts'

/** What the server says. */
interface PageOptions {
  readonly defaultQuery?: string
  readonly hasLivePage?: boolean
}

// Beside the page, wherever a proxy has put it.
const url = new URL('graphql', location.href).href
const options = JSON.parse(document.getElementById('options')?.textContent ?? '{}') as PageOptions
const streams = createStreams(url.replace(/^http/, 'ws'))
const fetcher = createFetcher(url, streams)
// As links to queries have them.
const asked = new URLSearchParams(location.search)
const [query, variables] = ['query', 'variables'].map((name) => asked.get(name))
const fromLink = { ...(query && { query }), ...(variables && { variables }) }
const root = document.getElementById('graphiql')

if (root !== null) {
  createRoot(root).render(
    <GraphiQL
      fetcher={fetcher}
      defaultQuery={options.defaultQuery ?? ''}
      shouldPersistHeaders={false}
      {...fromLink}
    >
      <GraphiQL.Logo>
        {options.hasLivePage ? (
          <a className="home" href="./" title="The live page: what changes, row by row">
            rowcast
          </a>
        ) : (
          <span className="home">rowcast</span>
        )}
      </GraphiQL.Logo>
      <GraphiQL.Footer>
        <StreamPane streams={streams} />
      </GraphiQL.Footer>
    </GraphiQL>,
  )
}
