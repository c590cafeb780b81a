/** The shared PostgreSQL of the tests in a container, where ROWCAST_TEST_CONTAINER_IMAGE names an image. */
import { PostgreSqlContainer } from '@testcontainers/postgresql'

/** A server in a container that ends with the run. */
export interface ContainerPostgres extends AsyncDisposable {
  readonly connectionString: string
}

/** Starts a container of the image and removes it at the end. */
export async function openContainerPostgres(
  image: string,
  settings: Readonly<Record<string, string | number>>,
): Promise<ContainerPostgres> {
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const container = await new PostgreSqlContainer(image)
    .withUsername('postgres')
    .withPassword('postgres')
    .withDatabase('postgres')
    .withCommand(['postgres', ...flags])
    .start()
  return {
    connectionString: `postgresql://postgres:postgres@${container.getHost()}:${container.getPort()}/postgres`,
    async [Symbol.asyncDispose]() {
      await container.stop()
    },
  }
}
