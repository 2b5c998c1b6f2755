"""Which answers were watched: on archives described so, the tool of this version ended so, with these words.

Made from the recorded loads: python tests/differential/load_watched.py
"""

from __future__ import annotations

WATCHED: dict[str, dict[str, str]] = {
    "docker@20.10 (own store)": {
        "bzip2 list: takes": "00000000",
        "cut: refuses cut": "5d2e09f3 804fb32d",
        "gzip cut: refuses cut": "804fb32d",
        "gzip gzip list: refuses format": "60d73891",
        "gzip layout: refuses cut": "804fb32d",
        "gzip layout: refuses format": "5d2e09f3",
        "gzip list: refuses cut": "0101cf9b a6eb02a4",
        "gzip list: takes": "00000000",
        "layout list: refuses names": "41a6aa84",
        "layout list: takes": "00000000",
        "layout one folder down: refuses format": "5d2e09f3",
        "layout: refuses choice": "00000000",
        "layout: refuses cut": "804fb32d",
        "layout: refuses format": "00000000 022e2cbd 5d2e09f3 6256e2a1 fa513d56",
        "list one folder down: refuses format": "5d2e09f3",
        "list: refuses choice": "41a6aa84 5d2e09f3 ea1d191a",
        "list: refuses config": (
            "065c11d0 07ff99ca 0b14593c 0cefef09 14469516 190276d3 234589ed 26e0811d 281131bc 282aef62 2876bad7 "
            "2900e50b 33e3d64f 39515c0b 3b86b31d 3d48fb39 3f417e7c 3f787bee 4e88d9cf 56198a3b 5825cbe0 5bf9b99c "
            "60426070 61d53f01 6256e2a1 626655ec 732e4459 74807cce 74cf2d70 751babc2 75ba8b5a 81a28ada 9503aef1 "
            "9633ad4a 984da39b 9a663181 9e83ad5a a40a328a a6857ccc aa5251b6 b3a1ab08 b719db7f bf72b720 bf9a40c0 "
            "c72d5b2a d28aa84c d4ffd250 d5101d9c d617565a d77abbc3 daf2319b e0d82d87 e642f67d e8dc1024 fbc0e5bf"
        ),
        "list: refuses count": "2d89b152 ea1d191a",
        "list: refuses cut": "804fb32d",
        "list: refuses depth": "8618a29a",
        "list: refuses digest": "0e8adc4e 73115bed",
        "list: refuses format": (
            "00000000 022e2cbd 06c615b4 133ad0a2 327a2462 38c53c80 41051ac2 4e1f6a94 60d73891 614e2156 6256e2a1 "
            "804fb32d b67d54a0 c5e47ab2 cdb4c973 d60b494f d771b032 e269c67a fa513d56"
        ),
        "list: refuses length": "8feb6243",
        "list: refuses missing": (
            "0101cf9b 0a500e02 0a526f0c 133ad0a2 2e6519c6 40f606b7 5d2e09f3 60d73891 62eee3cb 7d74b462 804fb32d "
            "a6eb02a4 b67d54a0 c48705e9 da74f785 dfe9e19d"
        ),
        "list: refuses names": "19e63607 41a6aa84 863202cc a3ef8c4c d681da40 eca34647 ee0a9c84",
        "list: refuses path-twice": "0b5eb7a9 46e9485b",
        "list: refuses platform": "ca56b1ed ea0c0c7c fb22e0c0",
        "list: refuses unpack": (
            "06c3955b 3ee88d9e 439bb349 4a2ce9e8 5134c10e 9d391f88 a439c54b aa635648 eedd0307 f1478cd5 fa513d56"
        ),
        "list: takes": "00000000",
        "manifest: refuses format": "022e2cbd",
        "other: refuses format": "022e2cbd 47d99c17 5d2e09f3 b953a444 f9fcbb78",
        "parents: refuses cut": "804fb32d",
        "parents: refuses missing": "5d2e09f3 60d73891 6256e2a1 d49e2fde",
        "parents: refuses names": "41a6aa84 5d2e09f3 6256e2a1 c0f0a498",
        "parents: refuses path-twice": "46e9485b",
        "parents: refuses platform": "ca56b1ed",
        "parents: takes": "00000000",
        "xz layout: refuses format": "5d2e09f3",
        "xz list: takes": "00000000",
        "zstd layout: refuses format": "60d73891",
        "zstd list: refuses format": "60d73891",
    },
    "podman@4.3": {
        "bzip2 list: takes": "00000000",
        "cut: refuses cut": "6b04e65f 74c3e814",
        "gzip cut: refuses cut": "8555eaaa",
        "gzip gzip list: takes": "00000000",
        "gzip layout: refuses cut": "8555eaaa",
        "gzip layout: takes": "00000000",
        "gzip list: refuses cut": "bcdfcdb5 e043e69a",
        "gzip list: refuses format": "e2903bbc",
        "layout list: takes": "00000000",
        "layout one folder down: refuses format": "74c3e814",
        "layout: refuses choice": "00000000 f00a73b9",
        "layout: refuses config": (
            "01db5aad 057704d3 0c64fb99 11857759 1556d9cf 2032aa4e 23cd1e5b 251cd166 26777144 36fd6c03 386589f0 "
            "3b554d8a 4ad09559 4bbab37e 67b21082 6a49b283 6c5f94f2 6d927003 821b5606 8301f6ba 83e3d4d6 847b5e2f "
            "8ecf8d4f 99001627 a098e2e8 a63ea23e a7d5fe7d ab637cf9 b56ddd2d b9a495fd bb04f5a2 bf7b6b3b c209ca4e "
            "c8096192 c9ff2f89 db21e3af e1a00ec7 f6ef135d fef76450 ff62a7d6"
        ),
        "layout: refuses cut": "6b04e65f",
        "layout: refuses digest": "56c6cda6 59f6665e 7c8ee672 9e9d50b7",
        "layout: refuses format": (
            "07178432 12abc106 154b63ae 4183b325 437a09ef 50d82de0 62019dfc 858f1cf5 89e09d72 cf09575d e688120b "
            "ecb9b7a0 fe5dadc1 fed02065"
        ),
        "layout: refuses length": "8b3779b7",
        "layout: refuses manifest": (
            "09388636 193f09e0 305f9068 36e39ca4 38da079a 3cca508a 3cd5af22 44deac3c 4dec2349 59de0b9a 66e6d346 "
            "670444d1 6e35a9f8 7c9b3f8e 807bb4b3 85b60031 8c584a66 99b1096b 9fafc8ee a34948a8 b7aaca86 bc98f9ce "
            "c11ca42a c6414637 ce570eae d9aa475f df669e66 e0cf00a4 e6fa92a3 ea02b262 eb02ac24 ec99a927 f2ca6648 "
            "fc5435cd"
        ),
        "layout: refuses missing": (
            "0a9a3e0d 1141971c 191f0771 26b3efa7 29b84ff2 35f51f0a 482c5cd6 6259461a 805b3aa7 9b404900 9d071299 "
            "b2f82aae b5fab009 c06be74d c3a5d87c e5f5e0bd f8c6b0fb fcb5cdd0 fd3574b1"
        ),
        "layout: refuses names": "4dbc6285 60678743 9ac3eaa9 a18c2397",
        "layout: refuses path-twice": "ddbc4306",
        "layout: refuses unpack": (
            "3b52c8dd 61df1d16 7f45c0af 8b6aa43b a3379921 ab891dc6 b0fb28ef b77fdb42 f8c6b0fb fea44fcc"
        ),
        "layout: takes": "00000000",
        "layout: unknown missing": "fdef6188",
        "list one folder down: refuses format": "74c3e814",
        "list: refuses choice": "00000000 477e416e a64a800f df4f8a98",
        "list: refuses config": (
            "015c0962 0317a420 10a773e5 11f95521 12c94c09 14d7beac 1e6bb100 22c9ce59 260d52a0 28a44a4a 2a18df1d "
            "2c6dc075 30114e09 35c262c3 4101fe3e 42a4bf25 443ac5fa 4511d63b 4f78ec67 50300da1 505da6f8 51e72a59 "
            "575caca9 59408bbc 5941474c 5a54121c 5ce2b137 61672b30 655aa20a 688a166c 6cd0664d 7058299e 750cc72c "
            "76c5573e 7d7c56b7 80b04231 9d46abb3 9f0d06f1 a3020b87 b0f56a9c b45d3b5b b722c39f be933a9e c1bb79ef "
            "c5223ae1 c66c846b c8aeee35 c928faa0 d06d33b6 d1db6afc d5509fc3 d9240fab e1b0ac82 e4f913f3 e7158876 "
            "e71ce44d e8dedccc ecb15e3f fa7bf888"
        ),
        "list: refuses count": "0ae00a55 a64a800f",
        "list: refuses cut": "8afd55c7",
        "list: refuses digest": "0ed4cae7 2b68f52c 405c1029 4c91dedd 6277e5b5 ac22ffd8 c969a370 c97bd974",
        "list: refuses format": (
            "00000000 068a4812 0794b292 12b1fe49 196ce74f 2b9f3d8d 45ea635f 688a166c 6a9e459e 74051e6a 74c3e814 "
            "75db7f7b 859d74aa 9b0df677 b1f79b9d b9161b28 c0710aba c7725372 cca1caf7 d349b4fc d88df1fc dba15483 "
            "ed2a8378 edb8591e f8ae6024"
        ),
        "list: refuses length": "b0f2a7c0",
        "list: refuses missing": (
            "0b1d407a 288fcbf2 2c8485fe 2e474dd6 2f77d2de 4399ddcb 477e416e 5eca1b9e 7f54595a 84392255 91ca0abf "
            "9b404900 9c91bc71 a2db2dfe beb5b2e2 d7384cab df4f8a98 ed0e1aa9 ed166292"
        ),
        "list: refuses names": "1c31dc14 68e43c5d 7746981c a6607f7e a9bebf87 c5d4b8cc e1cf6830 f1783377",
        "list: refuses path-twice": "472cbe85",
        "list: refuses unpack": (
            "150dfa10 785e05e7 89632285 8dd6cca1 aa04786b b4dd0bb1 c45ebf11 cc50a7ec d9f595f4 ecd903ce f5df2957"
        ),
        "list: takes": "00000000",
        "manifest: refuses format": "c0710aba",
        "other: refuses format": "0cc54cb6 400acd42 6de8b584 74c3e814 c0710aba",
        "parents: refuses cut": "6b04e65f",
        "parents: refuses format": "74c3e814",
        "xz layout: takes": "00000000",
        "xz list: takes": "00000000",
        "zstd layout: takes": "00000000",
        "zstd list: takes": "00000000",
    },
    "containerd@1.6": {
        "bzip2 list: refuses format": "e94a38cd",
        "cut: refuses cut": "2f75a034 427cff19 827225ee",
        "gzip cut: refuses format": "e94a38cd",
        "gzip gzip list: refuses format": "e94a38cd",
        "gzip layout: refuses format": "e94a38cd",
        "gzip list: refuses format": "e94a38cd",
        "layout list: refuses format": "53cf74d7",
        "layout list: refuses missing": "d8efce67",
        "layout list: takes": "00000000",
        "layout one folder down: refuses format": "427cff19",
        "layout: refuses config": (
            "031d4bc7 08c9da99 0a8e0d21 340031dd 3550e82d 3cb9f5c9 4727e42a 4e76e9c8 50618fea 562ad319 56e0286e "
            "5c63a30d 63014c24 63281875 70d30b5b 7855ead9 99aa702c 9b02010a 9bdff4e1 a0b0d305 a70f8f4d a7be081d "
            "b087df8f b11d4b7e b3ecbeb4 ca69c215 ca7cc5fd d67bc01f dbf837d9 e64500df e76b394c eb34cd75 efbd3e3f "
            "f05a94a2 f28e4f00 f431fe4d f6947f8c f7211695 fc58b845 fcd054b7"
        ),
        "layout: refuses count": "e3ccc47d",
        "layout: refuses cut": "827225ee",
        "layout: refuses digest": "320ac23c 4595ded7 74ac2e40",
        "layout: refuses format": (
            "0ab116af 0ad8fa10 10d2849c 13d2bf02 1d2ff118 24c29623 3202b044 427cff19 46641ee2 53cf74d7 5abd7203 "
            "5da2032d 630d0501 6ce88b90 7140a4ef 89b93928 8a081119 8bb2e9de 9828a96d a8f62ca0 a9b38a1c ebcb93fc "
            "f493c3a9"
        ),
        "layout: refuses length": "13d55eb0",
        "layout: refuses manifest": (
            "0734319c 204b5a10 22b7a5ae 2613d449 32996533 37f74536 3930fae1 49458eca 4f5de407 6c1873aa 81aea47a "
            "8d077f14 90b680a0 9d7a0aa7 a931e9c5 ab0d0633 b104c028 ce751b33 cea23152 d3b05564 d843759a d88d4408 "
            "d8efce67 d9fc5885 e5e2e922 ec491b9c fd51d87c"
        ),
        "layout: refuses missing": (
            "0ab116af 0ad8fa10 320ac23c 4595ded7 629402db 6ededbca 6f965112 8d32024f c0c7fec1 d8efce67 e24a06af "
            "e3214bab e81838f4 f4c46075 fa69283a"
        ),
        "layout: refuses names": "00000000",
        "layout: refuses platform": "a8f62ca0",
        "layout: refuses unpack": (
            "2c5e0ed8 38e1a58a 39e5c04a 62af3320 7a7a4a7d 8986b236 a7d30bd7 b26e4ac8 c6562fab f1d5a7b7 f80e4e0c "
            "fcad3bdc"
        ),
        "layout: takes": "00000000",
        "list one folder down: refuses format": "427cff19",
        "list: refuses choice": "00000000",
        "list: refuses config": (
            "06f82171 09f34892 0b027036 0be49845 0f64f661 1fe5cc25 22794e4f 2ba5a1a7 2ff3aa46 3592b46e 369fd31c "
            "3a9dfffb 3aacc67a 3c55b137 3d6d155d 40974355 4c4dccad 5eb23190 61cac8f3 6d095ff2 6e91733b 778da003 "
            "7808c54b 78fccb0d 7a4b8844 7d2ef4b3 8efa326a 96a4c854 982f43d6 9aa6e4b3 9ff3e578 a1d45eb2 aa85d2d1 "
            "b2ccec8f ba6699ee bd5e50c8 d17fc7b4 dba5184b de9b3efb e4f52615 e6639e31 e7e5cecd fc1e74f7"
        ),
        "list: refuses count": "e3ccc47d",
        "list: refuses digest": "74ac2e40",
        "list: refuses format": (
            "0ab116af 0ad8fa10 175c1796 24c29623 33356342 374b7098 427cff19 5abd7203 61864182 6755d33c 6fed85ac "
            "89b93928 a0517aa5 a8f62ca0 bf14de3b c40ff788 c7473a64 d17fc7b4"
        ),
        "list: refuses length": "13d55eb0",
        "list: refuses missing": (
            "0ab116af 0ad8fa10 5adfff84 5efb2c0e 629402db 8d32024f 9120180d c0c7fec1 dd3bce84 e3214bab e81838f4"
        ),
        "list: refuses names": "00000000 50001bea 99e83a3e c502a367 c9188f06",
        "list: refuses platform": "320ac23c a8f62ca0",
        "list: refuses unpack": (
            "0cf73d45 16af586c 2c5e0ed8 38e1a58a 39e5c04a 52ff81be 62af3320 727308b2 7a7a4a7d 8986b236 9f83a793 "
            "a7d30bd7 b26e4ac8 c6562fab d0fed811 f1d5a7b7 f80e4e0c fcad3bdc"
        ),
        "list: takes": "00000000",
        "list: unknown": "00000000",
        "manifest: refuses format": "24c29623",
        "other: refuses format": "1ce5ab74 24c29623 427cff19 e3bfea4c fa3ecd2b",
        "parents: refuses cut": "827225ee",
        "parents: refuses format": "427cff19",
        "xz layout: refuses format": "e94a38cd",
        "xz list: refuses format": "e94a38cd",
        "zstd layout: refuses format": "e94a38cd",
        "zstd list: refuses format": "e94a38cd",
    },
    "skopeo@1.9": {
        "bzip2 list: takes": "00000000",
        "cut: refuses cut": "c60ee70b",
        "gzip cut: refuses cut": "28937f1f",
        "gzip gzip list: takes": "00000000",
        "gzip layout: refuses cut": "28937f1f",
        "gzip layout: takes": "00000000",
        "gzip list: refuses cut": "28937f1f",
        "gzip list: refuses format": "c60ee70b",
        "layout list: refuses choice": "c60ee70b",
        "layout list: takes": "00000000",
        "layout one folder down: refuses format": "c60ee70b",
        "layout: refuses choice": "c60ee70b",
        "layout: refuses cut": "28937f1f",
        "layout: refuses digest": "532ca76f c60ee70b",
        "layout: refuses format": "1feeee75 28937f1f c60ee70b",
        "layout: refuses manifest": "31905edf 47845702 9eadf134 c60ee70b cf675597",
        "layout: refuses missing": "532ca76f c60ee70b",
        "layout: takes": "00000000",
        "layout: unknown missing": "f5c7a162",
        "list one folder down: refuses format": "c60ee70b",
        "list: refuses choice": "c60ee70b",
        "list: refuses config": "448292b8 99497e2c c60ee70b cc732fb4",
        "list: refuses count": "c60ee70b",
        "list: refuses cut": "c60ee70b",
        "list: refuses digest": "532ca76f c60ee70b",
        "list: refuses format": "c60ee70b",
        "list: refuses missing": "c60ee70b",
        "list: takes": "00000000",
        "manifest: refuses format": "c60ee70b",
        "other: refuses format": "c60ee70b",
        "parents: refuses cut": "c60ee70b",
        "parents: refuses format": "c60ee70b",
        "xz layout: takes": "00000000",
        "xz list: takes": "00000000",
        "zstd layout: takes": "00000000",
        "zstd list: takes": "00000000",
    },
    "buildah@1.28": {
        "bzip2 list: takes": "00000000",
        "cut: refuses cut": "6bb3fd54 a5681c6a",
        "gzip cut: refuses cut": "22a707ec",
        "gzip gzip list: takes": "00000000",
        "gzip layout: refuses cut": "b4cc5764",
        "gzip layout: takes": "00000000",
        "gzip list: refuses cut": "22a707ec a55c5080",
        "gzip list: refuses format": "a5681c6a",
        "layout list: refuses choice": "31c605c5",
        "layout list: refuses names": "549804e9",
        "layout list: takes": "00000000",
        "layout one folder down: refuses format": "60ae6453",
        "layout: refuses choice": "4a305dc5",
        "layout: refuses config": (
            "032c80a1 05b5f114 06bbb0cb 079ea8ee 0b49a21c 0c9fd339 0e592175 1211337a 2501ac64 26c2c748 27e9bff5 "
            "29038083 3aa39670 4ec4a115 55b19d91 59353df6 61433016 62b71862 681847cc 68f33f99 6918cbb5 6bb925a4 "
            "6be3d741 778c25ae 7e53ffce 7e569b6c 7f45b8e7 824c5906 853ab72c 86cc8cb7 88d56b48 89389bcb 8cdd1ec1 "
            "90e75b32 9af4da42 9f890f37 aa413f2c b0aafca6 b0bce23d bafbefe4 be64b927 c6076f29 c9ac91f2 cbb59acc "
            "d1a4c0c4 efe817fd f3a42be5 f4d603be f59a1ef2 f767abee ff5cf7fe fff0932a"
        ),
        "layout: refuses cut": "b4cc5764",
        "layout: refuses digest": "0fca2ce6 24a941a9 80cebb9f ab364f5a",
        "layout: refuses format": (
            "0f30211d 12e9365e 39a82a8a 4ebcc24a 54822174 5bfbc235 5f8947f8 954cccff 96cd6622 c122175c c3b5c056 "
            "c84636f2 d993358e eb17f69f"
        ),
        "layout: refuses length": "8a1b8a56",
        "layout: refuses manifest": (
            "0e0d2277 1569d7d4 16e09440 171414cb 194e0009 1f41809f 28a05b39 3c259c09 3e5e121c 4079d363 4145b958 "
            "53d0d3e6 550b6465 5747a452 5c8d8197 5ecd45df 5f03a26f 6b5a682c 75752b62 78a497c3 83c08979 8d987f53 "
            "ba67fbad c2ac8fa5 c4778969 d1b119a1 d1c50618 d72f92ad dc4913c1 e10fa2e8 e169f4f9 ecab1a24 ef2cea1f "
            "f0c6bbcb"
        ),
        "layout: refuses missing": (
            "22e65b44 26a3aa00 31c0886b 374e5674 4a610a64 661123d8 6846f7a9 7e570b1e 82c9da85 834fa08b 885c9376 "
            "a161eff5 a72315df a75ba4f0 b8571966 d3f9e4e3 e3e8c9d7 f74279f1"
        ),
        "layout: refuses names": "549804e9 ae64c275 d8972380 f70f11be",
        "layout: refuses path-twice": "0f0f1809",
        "layout: refuses unpack": (
            "3b66d674 4c95fa0f 533a4d83 560a2900 5de55b86 6849fa5b 6b6e0fde be748132 c201cc5e e3e8c9d7"
        ),
        "layout: takes": "00000000",
        "layout: unknown missing": "1b4eef84",
        "list one folder down: refuses format": "6bb3fd54",
        "list: refuses choice": "31c605c5",
        "list: refuses config": (
            "014cb809 01a63818 024b5622 09beb9ed 0c7f8bff 1044ce4b 11123f81 1222b5f7 16a685a2 1c897f1d 21376675 "
            "236eb5b9 2577f23c 29038083 2c2532b7 3a008e61 47680076 4c6e7967 4f266078 573311ba 57bb332e 5bb605d3 "
            "5f1ad712 6594c6f0 6727d7ff 6a6ad47a 6b6539b0 6c478292 716c8919 74ea12c2 7e98f497 9c6951da 9cbdb989 "
            "9e5a5b60 a2e16509 b41bcfc4 b554c80e bcbf14ff bcffabbc be8b594d ca04fc41 cbdeeecd cccfb9e6 d1a4c0c4 "
            "d5216091 d7d19b9b df13d805 e06505a8 e0f311d3 e7d61e94 e9ddff39 eb28e20b edee5c5e f00be909 f15f1872 "
            "f6603ee0 f9d1831a fb487d6a"
        ),
        "list: refuses count": "72ed3a2a c8fe89a7",
        "list: refuses cut": "df63df94",
        "list: refuses digest": "24a941a9 285f1415 374e5674 796bd247 a6ac3e2a d43c5a73 e1140fcf ec679f77",
        "list: refuses format": (
            "0c4ef9d0 0fca2ce6 2d0775bb 3dc19fa3 4079b983 4865e6b2 50aa477c 52760f4b 52a09ff3 5771a015 5bdd23af "
            "6bb3fd54 752a4b8c 80cebb9f 8b1111ff a8bb5ebe ac0fcbd5 aca78a64 afb92634 d5216091 dae7355d e226d8fa "
            "f88ee95c"
        ),
        "list: refuses length": "8a1b8a56",
        "list: refuses missing": (
            "0b0c2f80 2a9ada4e 2e7767b5 4dae2312 4e0437bd 51fe8bac 526856a5 54275fe0 5675622a 61f275b6 82c9da85 "
            "8fa6b0aa 97131c26 a0498713 ae0be0ff b124f2d0 e3e8c9d7 f2a77b5f"
        ),
        "list: refuses names": "1e033ae3 549804e9 ae64c275 d8972380 f70f11be",
        "list: refuses path-twice": "0f0f1809",
        "list: refuses unpack": (
            "3b66d674 4c95fa0f 533a4d83 560a2900 5de55b86 6849fa5b 6b6e0fde 6fa4923c a9bf05cd be748132 c201cc5e"
        ),
        "list: takes": "00000000",
        "manifest: refuses format": "a8bb5ebe",
        "other: refuses format": "46dced86 6bb3fd54 a8bb5ebe bb007bfe f329a676",
        "parents: refuses cut": "a5681c6a",
        "parents: refuses format": "6bb3fd54",
        "xz layout: takes": "00000000",
        "xz list: takes": "00000000",
        "zstd layout: takes": "00000000",
        "zstd list: takes": "00000000",
    },
    "docker@28 (own store)": {
        "layout: refuses format": "5d2e09f3",
        "list: refuses config": "07ff99ca",
        "list: refuses path-twice": "03125349",
        "list: takes": "00000000",
    },
    "docker@28 (containerd store)": {
        "cut: refuses cut": "56decb72",
        "layout: takes": "00000000",
        "list: takes": "00000000",
    },
    "podman@5.8": {
        "list: takes": "00000000",
    },
}
"""Tool -> how an archive is described, and the outcome -> the marks of its words (`tool.words_of`)."""
