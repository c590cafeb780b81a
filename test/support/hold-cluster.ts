/**
 * A process that owns a cluster: arguments data folder and, as JSON, npm package. Prints the server's process id when it
 * runs, and ends, without stopping it, at the end of its standard input.
 */
import { createPostgresCluster } from '../../src/embedded/postgres-cluster.ts'
import { withSqlClient } from '../../src/source/db/sql.ts'

const [dataFolder = '', programs = '{}'] = process.argv.slice(2)
const { packageName, resolveFrom } = JSON.parse(programs) as { packageName: string; resolveFrom: string }
const cluster = await createPostgresCluster({ dataFolder, packageName, resolveFrom })
await withSqlClient(cluster.target(), (sql) => sql.execute('CREATE TABLE held AS SELECT 1 AS id'))
process.stdout.write(`${cluster.pid}\n`)
process.stdin.resume()
