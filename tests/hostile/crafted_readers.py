"""Crafted files of other programs: signals, images and videos."""

import struct
import warnings
import zlib
from pathlib import Path

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from hostile.crafting import craft, several


def written(folder: Path, argument: object) -> None:
    name, content = argument
    for old in folder.iterdir():
        if old.is_file():
            old.unlink()
    (folder / name).write_bytes(content() if callable(content) else content)


CSV = {
    "a_first_line_of_300_mb": lambda: b"1," * (150 * 2**20),
    "a_later_line_of_100_mb": lambda: b"time,a\n0,1\n" + b"1" * (100 * 2**20) + b",2\n",
    "a_quote_that_never_ends": lambda: b'time,a\n0,"' + b"1,\n" * 10**6,
    "a_hundred_thousand_columns": lambda: b",".join(b"c%d" % n for n in range(10**5)) + b"\n" + b"1," * 10**5,
    "nothing_but_zeros": lambda: b"\0" * 2**20,
    "nothing": b"",
    "a_bom_alone": b"\xef\xbb\xbf",
    "lines_of_nothing": b"\n" * 10**6,
    "other_bytes": bytes(range(256)) * 1000,
    "utf_16": "time,a\n0,1\n1,2\n".encode("utf-16"),
    "the_same_column_twice": b"time,a,a\n0,1,2\n1,2,3\n",
    "columns_without_names": b"time,,\n0,1,2\n1,2,3\n",
    "numbers_of_500_digits": b"time,a\n0," + b"9" * 500 + b"\n1,2\n",
    "numbers_that_are_none": b"time,a\n0,nan\n1,inf\n2,-inf\n",
    "times_in_reverse": b"time,a\n5,1\n4,2\n3,3\n2,4\n",
    "times_of_1e300": b"time,a\n0,1\n1e300,2\n2e300,3\n",
    "times_that_jump": b"time,a\n0,1\n0.1,2\n0.2,3\n1e15,4\n",
    "times_of_dates_and_numbers": b"time,a\n2026-01-01,1\n7,2\n",
    "times_before_the_common_era": b"time,a\n0000-00-00 00:00:00,1\n9999-99-99 99:99:99,2\n",
    "one_row": b"time,a\n0,1\n",
    "a_name_of_a_megabyte": lambda: b"time," + b"a" * 10**6 + b"\n0,1\n1,2\n",
    "formulas": b"time,a\n0,=cmd|'/c calc'!A0\n1,2\n",
}
several("csv", written, {name: ("plant.csv", content) for name, content in CSV.items()})


def parquet(folder: Path, argument: object) -> None:
    table = argument()
    pq.write_table(table, folder / "plant.parquet", compression="zstd")


PARQUET = {
    "a_table_of_3e7_rows": lambda: pa.table(
        {n: pa.array(np.zeros(30_000_000, np.int8)).cast(pa.float64()) for n in "abc"}
    ),
    "a_table_of_nulls": lambda: pa.table({"time": pa.nulls(50), "a": pa.nulls(50)}),
    "a_table_of_lists": lambda: pa.table({"time": list(range(9)), "a": [[1.0, 2.0]] * 9}),
    "a_table_of_texts": lambda: pa.table({"time": list(range(9)), "a": ["x"] * 9}),
    "a_table_of_bytes": lambda: pa.table({"time": list(range(9)), "a": [b"\xff"] * 9}),
    "a_table_of_records": lambda: pa.table({"time": list(range(9)), "a": [{"b": 1}] * 9}),
    "a_table_of_decimals": lambda: pa.table(
        {"time": list(range(9)), "a": pa.array([1] * 9).cast(pa.decimal128(38, 9))}
    ),
    "a_table_of_large_numbers": lambda: pa.table({"time": list(range(9)), "a": [2**63 - 1] * 9}),
    "a_table_without_columns": lambda: pa.table({}),
    "a_table_without_rows": lambda: pa.table({"time": pa.array([], pa.float64()), "a": pa.array([], pa.float64())}),
    "a_table_of_20000_columns": lambda: pa.table({f"c{n}": [0.0, 1.0] for n in range(20_000)}),
    "a_table_of_large_texts": lambda: pa.table(
        {"a": pa.DictionaryArray.from_arrays(pa.array(np.zeros(400, np.int32)), pa.array(["x" * 2**23]))}
    ),
    "a_table_that_pandas_describes_with_lists": lambda: pa.table(
        {"time": list(range(9)), "a": [1.0] * 9}
    ).replace_schema_metadata({"pandas": '{"index_columns": 7}'}),
    "a_table_that_pandas_describes_deeply": lambda: pa.table(
        {"time": list(range(9)), "a": [1.0] * 9}
    ).replace_schema_metadata({"pandas": "[" * 50_000}),
    "times_that_overflow": lambda: pa.table(
        {"time": pa.array([-(2**63), 2**63 - 1], pa.timestamp("ns")), "a": [1.0, 2.0]}
    ),
    "times_of_durations": lambda: pa.table({"time": pa.array([0, 2**62, -(2**62)], pa.duration("ns")), "a": [1.0] * 3}),
}
several("parquet", parquet, PARQUET)


def wfdb(folder: Path, text: object) -> None:
    (folder / "ecg.hea").write_text(str(text))


several(
    "wfdb",
    wfdb,
    {
        "a_header_of_1e9_signals": "ecg 1000000000 250 100\necg.dat 16 200 16 0 0 0 0 a\n",
        "a_header_of_digits": f"ecg {'9' * 5000} 250 100\necg.dat 16 200\n",
        "a_header_of_1e18_samples": f"ecg 2 250 {10**18}\necg.dat 16 200\necg.dat 16 200\n",
        "a_rate_of_nothing": "ecg 2 nan 100\necg.dat 16 200 16 0 0 0 0 a\necg.dat 16 200 16 0 0 0 0 b\n",
        "a_rate_of_0": "ecg 2 0 100\necg.dat 16 200\necg.dat 16 200\n",
        "a_rate_of_1e300": "ecg 2 1e300 100\necg.dat 16 200\necg.dat 16 200\n",
        "a_gain_of_0": "ecg 2 250 100\necg.dat 16 0(0)/mV\necg.dat 16 0(0)/mV\n",
        "a_gain_of_1e999": "ecg 2 250 100\necg.dat 16 1e999\necg.dat 16 1e999\n",
        "a_file_elsewhere": "ecg 1 250 100\n/etc/passwd 16 200\n",
        "a_file_above": "ecg 1 250 100\n../../../etc/passwd 16 200\n",
        "a_file_of_the_network": "ecg 1 250 100\nhttp://localhost/x 16 200\n",
        "an_offset_of_1e18": "ecg 1 250 100\necg.dat 16+1000000000000000000 200\n",
        "an_unknown_format": "ecg 1 250 100\necg.dat 9999 200\n",
        "a_thousand_samples_a_frame": "ecg 1 250 100\necg.dat 16x1000000000 200\n",
        "a_million_segments": "ecg/1000000 2 250 100\necg 100\n",
        "a_record_of_itself": "ecg/1 2 250 100\necg 100\n",
        "no_lines": "",
        "comments_alone": "# a\n# b\n",
    },
)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, data: bytes, *more: bytes) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + b"".join(more) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def zeros(megabytes: int) -> bytes:
    packer = zlib.compressobj(9)
    return b"".join([*(packer.compress(b"\0" * 2**20) for _ in range(megabytes)), packer.flush()])


def image(folder: Path, argument: object) -> None:
    name, content = argument
    for old in (folder / "data").rglob("*.*"):
        old.unlink()
    (folder / "data/dogs" / name).write_bytes(content() if callable(content) else content)


several(
    "images",
    image,
    {
        "png_of_2_to_the_31": ("0.png", lambda: png(2**31 - 1, 2**31 - 1, zlib.compress(b"\0"))),
        "png_of_12000_squared": ("0.png", lambda: png(12_000, 12_000, zeros(412))),
        "png_of_0": ("0.png", lambda: png(0, 0, b"")),
        "png_cut_short": ("0.png", lambda: png(64, 64, zeros(1))[:60]),
        "png_of_a_text_of_200_mb": ("0.png", lambda: png(8, 8, zeros(1), chunk(b"zTXt", b"a\0\0" + zeros(200)))),
        "png_of_a_profile_of_200_mb": ("0.png", lambda: png(8, 8, zeros(1), chunk(b"iCCP", b"a\0\0" + zeros(200)))),
        "png_of_a_million_frames": (
            "0.png",
            lambda: png(8, 8, zeros(1), chunk(b"acTL", struct.pack(">II", 10**9, 0))),
        ),
        "jpeg_of_65500_squared": ("0.jpg", lambda: jpeg(65_500, 65_500)),
        "jpeg_of_nothing": ("0.jpg", b"\xff\xd8\xff\xe0" + b"\0" * 100),
        "bmp_of_2_to_the_31": ("0.bmp", lambda: bmp(2**31 - 1, 2**31 - 1)),
        "bmp_of_a_height_below_0": ("0.bmp", lambda: bmp(8, -(2**31))),
        "tiff_of_pages_that_loop": ("0.tif", lambda: tiff(8, 8, again=8)),
        "tiff_of_60000_squared": ("0.tif", lambda: tiff(60_000, 60_000)),
        "tiff_of_a_count_of_2_to_the_32": ("0.tif", lambda: tiff(8, 8, count=2**32 - 1)),
        "webp_of_16383_squared": ("0.webp", lambda: webp()),
        "a_folder_of_a_program": ("0.png", b"%!PS-Adobe-3.0 EPSF-3.0\n(touch executed) run\n"),
        "a_image_of_nothing": ("0.png", b""),
    },
)


def jpeg(width: int, height: int) -> bytes:
    """A small JPEG whose header says another size."""
    import io

    out = io.BytesIO()
    Image.new("RGB", (16, 16)).save(out, "JPEG")
    data = bytearray(out.getvalue())
    place = data.index(b"\xff\xc0")
    data[place + 5 : place + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def bmp(width: int, height: int) -> bytes:
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 200, 0, 0, 54) + head + b"\0" * 146


def tiff(width: int, height: int, again: int = 0, count: int = 1) -> bytes:
    entries = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
    entries += [(273, 4, count, 8), (277, 3, 1, 1), (278, 4, 1, height), (279, 4, 1, width * height % 2**32)]
    body = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(entries)) + body + struct.pack("<I", again)


def webp() -> bytes:
    frame = b"VP8L" + struct.pack("<I", 10) + b"\x2f" + struct.pack("<I", (16382 << 14) | 16382) + b"\0" * 5
    return b"RIFF" + struct.pack("<I", len(frame) + 4) + b"WEBP" + frame


def video(folder: Path, change: object) -> None:
    for old in folder.iterdir():
        if old.suffix not in (".mp4", ".mkv"):
            old.unlink()
    for file in folder.iterdir():
        file.write_bytes(change(file))


def patched(mark: bytes, offset: int, value: bytes, mark2: bytes = b"\0none"):
    def change(file: Path) -> bytes:
        data = bytearray(file.read_bytes())
        for each in (mark, mark2):
            place = data.find(each)
            if place >= 0:
                data[place + offset : place + offset + len(value)] = value
        return bytes(data)

    return change


several(
    "videos",
    video,
    {
        "video_of_a_header_alone": lambda file: file.read_bytes()[:60],
        "video_of_zeros": lambda file: b"\0" * 10**6,
        "video_of_an_image_of_65535": patched(b"avc1", 28, b"\xff\xff\xff\xff"),
        "video_of_a_timescale_of_0": patched(b"mdhd", 16, b"\0\0\0\0"),
        "video_of_a_duration_of_2_to_the_32": patched(b"mdhd", 20, b"\xff\xff\xff\xff"),
        "video_of_2_to_the_32_samples": patched(b"stsz", 12, b"\xff\xff\xff\xff"),
        "video_of_large_steps": patched(b"stts", 12, b"\x7f\xff\xff\xff"),
        "video_of_2_to_the_32_steps": patched(b"stts", 8, b"\xff\xff\xff\xff"),
        "video_of_offsets_beyond": patched(b"stco", 12, b"\xff\xff\xff\xff"),
        "video_of_a_box_of_0": patched(b"moov", -4, b"\0\0\0\0"),
        "video_of_a_box_beyond": patched(b"moov", -4, b"\xff\xff\xff\xff"),
        "video_of_no_configuration": patched(b"avcC", 4, b"\0" * 20),
        "video_of_a_playlist": lambda file: b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1\nfile:///etc/passwd\n",
        "video_of_a_concat": lambda file: b"ffconcat version 1.0\nfile /etc/passwd\n",
        "video_of_text": lambda file: b"not a video" * 1000,
    },
)


@craft("videos")
def video_of_two_frames_years_apart(folder: Path) -> None:
    for old in folder.iterdir():
        old.unlink()
    with warnings.catch_warnings(), av.open(str(folder / "video.mkv"), "w") as container:
        warnings.simplefilter("ignore")
        stream = container.add_stream("mpeg4", rate=30)
        stream.width = stream.height = 32
        packets = []
        for _ in range(4):
            packets += stream.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24"))
        packets += stream.encode(None)
        for number, packet in enumerate(packets):
            packet.pts = packet.dts = number if number < 3 else 10**9
            container.mux(packet)


@craft("videos", unpacked=8 * 2048 * 2048 * 3)
def video_of_2048_squared(folder: Path) -> None:
    for old in folder.iterdir():
        old.unlink()
    with av.open(str(folder / "video.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"preset": "ultrafast"})
        stream.width = stream.height = 2048
        stream.pix_fmt = "yuv420p"
        for _ in range(4):
            frame = av.VideoFrame.from_ndarray(np.zeros((2048, 2048, 3), np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
