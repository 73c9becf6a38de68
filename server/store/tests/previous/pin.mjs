// Keeps what this version reads and writes, and how far its migrations go, for the test that the next version's schema still
// serves it (server/store/tests/store/upgrade.rs). Run by `./dev pin` when a version is released.
import { readFileSync, readdirSync, writeFileSync } from "node:fs";

const [statementsIn, migrationsIn, out] = process.argv.slice(2);
const statements = readdirSync(statementsIn)
  .filter((name) => name.startsWith("query-"))
  .map((name) => JSON.parse(readFileSync(`${statementsIn}/${name}`, "utf8")))
  .map(({ query, describe }) => ({ query, parameters: describe.parameters.Left.length }))
  .sort((a, b) => (a.query < b.query ? -1 : 1));
const versions = readdirSync(migrationsIn).map((name) => Number.parseInt(name, 10)).filter(Number.isInteger);
const kept = { last_migration: Math.max(...versions), statements };
writeFileSync(out, `${JSON.stringify(kept, null, 1)}\n`);
console.log(`${statements.length} statements, migrations up to ${kept.last_migration}`);
