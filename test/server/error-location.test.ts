/** Where an error happened, for the log. */
import { buildSchema, type FieldNode, GraphQLError, parse, visit } from 'graphql'
import { expect, test, vi } from 'vitest'
import { createErrorLocator } from '../../src/server/errors/error-location.ts'

const schema = buildSchema('type Query { posts: [Post!] } type Post { title: String body: String }')

test('ten thousand rows that fail at one node have the document read once', () => {
  const locate = createErrorLocator(schema)
  const nodes: FieldNode[] = []
  visit(parse('query Posts { posts { title body } }'), { Field: (node) => void nodes.push(node) })
  const looked = vi.spyOn(schema, 'getQueryType')
  const locateRow = (node: FieldNode | undefined, row: number) =>
    locate(new GraphQLError('No', { nodes: node === undefined ? [] : [node], path: ['posts', row] }))
  for (let row = 0; row < 10_000; row += 1) {
    expect(locateRow(nodes[1], row)).toEqual({
      operation: 'Posts',
      field: 'Post.title',
      path: `posts.${row}`,
    })
  }
  expect(locateRow(nodes[2], 0)).toMatchObject({ operation: 'Posts', field: 'Post.body' })
  expect(locateRow(undefined, 0)).toEqual({ path: 'posts.0' })
  expect(looked.mock.calls.length).toBeLessThan(10)
})
