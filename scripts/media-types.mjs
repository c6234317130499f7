// SPDX-License-Identifier: Apache-2.0
// `npm run media-types`: writes native/http/media_types.inc, the types by extension that the server
// knows, from mime-db. A unit test compares the file with what renderMediaTypes() makes. The types
// come from the database; which extensions there are is chosen here: what a device's pages and
// downloads are made of, and not all 1,200, because a path with a known extension names a file and
// is never answered with the application's page (may_fall_back in native/conn/file/lookup.cpp). The whole database
// would take "/hosts/device.com" and "/units/node1.ac" for files.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { projectDir } from './setup.mjs';

export const tablePath = 'native/http/media_types.inc';
const octetStream = 'application/octet-stream';

const extensions = [
  // Pages, their code and their data.
  'cjs css htm html js json jsonld map mjs wasm webmanifest xhtml',
  'atom geojson rss toml wsdl xml xsl yaml yml',
  // Images and fonts.
  'apng avif bmp gif heic heif ico jpe jpeg jpg jxl png svg tif tiff webp',
  'eot otf ttc ttf woff woff2',
  // Sound, video, streams and what is shown in three dimensions.
  'aac flac m4a mp3 oga ogg opus wav weba',
  '3gp m3u8 m4s m4v mkv mov mp4 mpd mpeg mpg ogv ts webm',
  '3mf glb gltf stl step',
  // Texts and documents.
  'conf csv ics ini log markdown md text tsv txt vtt',
  'doc docx epub odp ods odt pdf ppt pptx rtf xls xlsx',
  // Certificates and archives.
  'cer crl crt der p12 p7c pem',
  '7z bz2 deb exe gz ipk iso msi rar rpm tar tgz xz zip zst',
  // Firmware.
  'bin dtb ext4 img itb raucb sig squashfs swu ubi wic',
].flatMap((line) => line.split(' '));

/** Where the database has no registered type, several, or one that means something else here. */
const decided = {
  // CommonJS is read by Node only, but it is JavaScript: RFC 9239.
  cjs: 'text/javascript',
  // The names that RFC 9512, 8878, 9639 and the IANA registry gave them; the database has older ones.
  yaml: 'application/yaml',
  yml: 'application/yaml',
  zst: 'application/zstd',
  flac: 'audio/flac',
  mkv: 'video/matroska',
  deb: 'application/vnd.debian.binary-package',
  // Registered twice. XML without a charset says its encoding itself (RFC 7303, section 3).
  mp4: 'video/mp4',
  rtf: 'application/rtf',
  xml: 'application/xml',
  xsl: 'application/xslt+xml',
  // Not registered, but what browsers and readers know.
  m4v: 'video/mp4',
  rss: 'application/rss+xml',
  wav: 'audio/wav',
  weba: 'audio/webm',
  webm: 'video/webm',
  p12: 'application/x-pkcs12',
  // A file to be saved. For the database .dtb is a talking book, and every .sig is one of PGP.
  ...Object.fromEntries(
    '7z bz2 dtb ext4 ipk itb raucb rpm sig squashfs swu tar ubi wic xz'
      .split(' ')
      .map((extension) => [extension, octetStream]),
  ),
  tgz: 'application/gzip',
};

/** The registered types of an extension. */
function registeredTypes(database, extension) {
  return Object.entries(database)
    .filter(([, entry]) => entry.source === 'iana' && entry.extensions?.includes(extension))
    .map(([type]) => type);
}

function typeOf(database, extension) {
  const registered = registeredTypes(database, extension);
  const own = decided[extension];
  if (own !== undefined) {
    if (registered.length === 1 && registered[0] === own) {
      throw new Error(`.${extension} is ${own} in mime-db too: remove it from "decided"`);
    }
    return own;
  }
  if (registered.length === 1) return registered[0];
  const found = registered.length === 0 ? 'none' : registered.join(', ');
  throw new Error(`registered types of .${extension} in mime-db: ${found}; decide which`);
}

/** RFC 9110 8.3.2: our texts are UTF-8. JSON and XML say so themselves and get no parameter. */
const fieldOf = (type) => (type.startsWith('text/') ? `${type}; charset=utf-8` : type);

/** The text of native/http/media_types.inc. `database` and `version` are mime-db's. */
export function renderMediaTypes(database, version) {
  const lines = extensions
    .toSorted()
    .map((extension) => `{"${extension}", "${fieldOf(typeOf(database, extension))}"},`);
  const head = [
    '// SPDX-License-Identifier: Apache-2.0 AND MIT',
    `// Made by "npm run media-types" from mime-db ${version} (MIT).`,
    '// Included by media_type.cpp; sorted by extension.',
  ];
  return `${[...head, ...lines].join('\n')}\n`;
}

/** { database, version } of the mime-db that is installed. */
export function readDatabase() {
  const read = (name) =>
    JSON.parse(readFileSync(join(projectDir, 'node_modules/mime-db', name), 'utf8'));
  return { database: read('db.json'), version: read('package.json').version };
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { database, version } = readDatabase();
  writeFileSync(join(projectDir, tablePath), renderMediaTypes(database, version));
  console.log(`${tablePath}: written`);
}
