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
        '<!@(node -p "const fs=require(\'node:fs\');[\'base\',\'os\',\'ring\',\'tls\',\'http\',\'files\',\'upload\',\'h2\',\'conn\',\'conn/accounts\',\'conn/request\',\'conn/file\',\'conn/proxy\',\'conn/upload\',\'conn/h2\',\'engine\',\'experiment\',\'selfcheck\',\'seam\'].flatMap((room)=>fs.existsSync(\'native/\'+room)?fs.readdirSync(\'native/\'+room).filter((name)=>name.endsWith(\'.cpp\')).sort().map((name)=>\'native/\'+room+\'/\'+name):[]).join(\' \')")',
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
      'cflags': [
        '-O2',
        '-fvisibility=hidden',
        '-fstack-protector-strong',
        # -Wp comes last, wherever a distribution gives its own level: no redefinition, and 3 counts.
        # glibc makes it 2 for a compiler that cannot (before GCC 12).
        '-Wp,-U_FORTIFY_SOURCE,-D_FORTIFY_SOURCE=3',
      ],
      'cflags_cc': ['-std=c++17', '-Wall', '-Wextra', '-fexceptions', '-fvisibility-inlines-hidden'],
      'ldflags': [
        '-Wl,-z,relro',
        '-Wl,-z,now',
        # Seen from build/, where make runs: a path of the machine may have a space in it.
        '-Wl,--version-script=../native/seam/exports.map',
      ],
      'conditions': [
        # Shadow stacks (CET). The mark is the linker's word for every object: glibc's start files and
        # Debian's liburing are not compiled for it, but each of their calls has its return, which is
        # all that a shadow stack asks for. Of landing pads (IBT) that cannot be said: none is forced.
        ['target_arch=="x64"', {
          'cflags': ['-fcf-protection=full'],
          'ldflags': ['-Wl,-z,shstk'],
        }],
        # Signed return addresses and landing pads (PAC, BTI): hints, which older processors skip.
        # The mark is the linker's to give, where start files and liburing have them too.
        ['target_arch=="arm64"', { 'cflags': ['-mbranch-protection=standard'] }],
        ['target_arch in "x64 arm64 arm"', { 'cflags': ['-fstack-clash-protection'] }],
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
