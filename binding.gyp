# SPDX-License-Identifier: Apache-2.0
# The one description of how the addon is built: node-gyp here, prebuildify for releases and
# OpenEmbedded's node-gyp all read it. OpenSSL comes from the Node process: its headers lie beside
# Node's own (or in the default include path), and nothing is linked, so that the process never
# holds a second libssl.
{
  # 0 builds without liburing, and io_uring is then reported as not built in: epoll serves.
  'variables': { 'spliced_io_uring%': 1 },
  'targets': [
    {
      'target_name': 'spliced',
      'sources': [
        '<!@(node -p "const fs=require(\'node:fs\');[\'base\',\'os\',\'ring\',\'tls\',\'http\',\'files\',\'upload\',\'conn\',\'engine\',\'experiment\',\'selfcheck\',\'seam\'].flatMap((room)=>fs.existsSync(\'native/\'+room)?fs.readdirSync(\'native/\'+room).filter((name)=>name.endsWith(\'.cpp\')).sort().map((name)=>\'native/\'+room+\'/\'+name):[]).join(\' \')")',
      ],
      'include_dirs': ['native', '<!(node -p "require(\'node-addon-api\').include_dir")'],
      'defines': [
        'NAPI_VERSION=8',
        'NAPI_CPP_EXCEPTIONS',
        'NODE_ADDON_API_DISABLE_DEPRECATED',
        '_FILE_OFFSET_BITS=64',
        '_TIME_BITS=64',
        'SPLICED_VERSION="<!(node -p "require(\'./package.json\').version")"',
      ],
      'cflags!': ['-fno-exceptions', '-O3'],
      'cflags_cc!': ['-fno-exceptions', '-fno-rtti', '-std=gnu++17', '-O3'],
      'cflags': ['-O2', '-fvisibility=hidden', '-fstack-protector-strong'],
      'cflags_cc': ['-std=c++17', '-Wall', '-Wextra', '-fexceptions', '-fvisibility-inlines-hidden'],
      'ldflags': [
        '-Wl,-z,relro',
        '-Wl,-z,now',
        '-Wl,--version-script=<(module_root_dir)/native/seam/exports.map',
      ],
      'conditions': [
        ['spliced_io_uring==1', {
          'sources!': ['native/ring/no_uring.cpp'],
          # Statically: a board needs no liburing package, and its version is the tested one.
          'libraries': ['-l:liburing.a'],
        }, {
          'sources!': ['native/ring/uring.cpp'],
        }],
      ],
    },
  ],
}
