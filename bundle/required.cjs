'use strict'
// What an entry says where `require` does not give it the ES module: instead of a stack that names a file of ours.

/** The error to throw in place of the one that `require` threw. */
module.exports = (error) => {
  const text = sentenceFor(error)
  return text === undefined ? error : Object.assign(new Error(text, { cause: error }), { code: error.code })
}

function sentenceFor(error) {
  // Jest has a `require` of its own, which takes the file for CommonJS.
  if (
    process.env.JEST_WORKER_ID !== undefined &&
    (error.code === 'ERR_REQUIRE_ESM' || error.name === 'SyntaxError')
  )
    return (
      'rowcast is ES modules, which the `require` of Jest does not read on Node.js below 24.9. Have it transformed, in the configuration of Jest: ' +
      `transform: { 'node_modules/rowcast/.+\\\\.js$': '@swc/jest', … }, transformIgnorePatterns: ['/node_modules/(?!(.*/)?rowcast/)']. ` +
      'docs/projects.md, "Runners and bundlers".'
    )
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major < 20 || (major === 20 && minor < 19))
    return `rowcast needs Node.js 20.19 or later; this is ${process.versions.node}.`
  if (error.code === 'ERR_REQUIRE_ESM')
    return `rowcast is ES modules, which \`require\` reads from Node.js 20.19 and 22.12 on; this is ${process.versions.node}: take a newer one, or \`await import('rowcast')\`.`
  return undefined
}
