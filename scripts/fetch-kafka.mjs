// Fetches the jars of a Kafka broker, for the tests of via-kafka, unless they are there. Needs Maven, and Java 17 or later.
//
//   packages/dev-services/kafka/pom.xml ─▶ mvn ─▶ a folder of this run ─▶ node_modules/.cache/pidmesh/kafka-<version>   (by renaming: all of it or nothing)
//
// Maven's settings are the user's; its repository is of this run, so that nothing is written outside of the project.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { root, takesNoArguments } from './workspace.mjs'

takesNoArguments('Fetches the jars of a Kafka broker for the tests, unless they are there.')

const pom = join(root, 'packages/dev-services/kafka/pom.xml')
const version = /<kafka\.version>(.+)<\/kafka\.version>/.exec(readFileSync(pom, 'utf8'))?.[1]
const cache = join(root, 'node_modules/.cache/pidmesh')
const jars = join(cache, `kafka-${version}`)

/** @returns {string | undefined} what went wrong */
function fetchJars() {
  mkdirSync(cache, { recursive: true })
  const folder = mkdtempSync(join(cache, 'kafka-fetch-'))
  try {
    const lib = join(folder, 'lib')
    const { error, status } = spawnSync(
      'mvn',
      [
        '-q',
        '-B',
        '-f',
        pom,
        `-Dmaven.repo.local=${join(folder, 'repository')}`,
        'dependency:copy-dependencies',
        `-DoutputDirectory=${lib}`,
      ],
      { stdio: ['ignore', 'inherit', 'inherit'] },
    )
    if (error !== undefined)
      return `Maven does not start (${error.message}): on Debian, apt-get install maven openjdk-17-jre-headless`
    if (status !== 0) return `Maven has ended with ${status}`
    if (!existsSync(jars)) renameSync(lib, jars)
    return undefined
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

if (existsSync(jars)) {
  console.log(`Kafka ${version} is there`)
} else {
  const problem = fetchJars()
  if (problem === undefined) {
    console.log(`Kafka ${version} is fetched`)
  } else {
    console.error(`Kafka ${version} is not fetched: ${problem}`)
    process.exitCode = 1
  }
}
