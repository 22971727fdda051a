// ipx as its README sets it up for production: node ipx.mjs FOLDER_OF_NODE_MODULES FOLDER_OF_IMAGES PORT
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [, , installed, images, port] = process.argv;
const require = createRequire(`${installed}/`);
const from = (name) => import(pathToFileURL(require.resolve(name)));
const { createIPX, createIPXH3Handler, ipxFSStorage } = await from('ipx');
const { createApp, toNodeListener } = await from('h3');
const { listen } = await from('listhen');

// Upright, as everybody else makes it; the rest is ipx's default.
const ipx = createIPX({ storage: ipxFSStorage({ dir: images }), sharpOptions: { autoOrient: true } });
const app = createApp().use('/', createIPXH3Handler(ipx));
await listen(toNodeListener(app), { hostname: '127.0.0.1', port: Number(port), showURL: false });
