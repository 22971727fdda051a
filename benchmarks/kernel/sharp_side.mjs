// The sharp side of against_sharp.py: one JSON request a line on stdin, one JSON answer a line on stdout.
import fs from 'node:fs';
import { createRequire } from 'node:module';
import readline from 'node:readline';

const require = createRequire(process.argv[2] + '/');
const sharp = require('sharp');
sharp.concurrency(1);
sharp.cache(false);

// What imgsvc does with the same source: upright, to sRGB, no alpha in a JPEG, no metadata.
const render = (data, width, quality) =>
  sharp(data).autoOrient().resize(width).flatten({ background: '#fff' }).jpeg({ quality }).toBuffer();

for await (const line of readline.createInterface({ input: process.stdin })) {
  const { file, width, quality, times, out } = JSON.parse(line);
  const data = fs.readFileSync(file);
  const before = process.cpuUsage();
  let result;
  for (let i = 0; i < times; i += 1) result = await render(data, width, quality);
  const used = process.cpuUsage(before);
  if (out) fs.writeFileSync(out, result);
  console.log(JSON.stringify({ cpu_ms: (used.user + used.system) / 1000 / times, bytes: result.length }));
}
