"""Spreadsheets of other kinds than .xlsx: they are the same table."""

import base64
import io
import struct
import zipfile
import zlib
from xml.sax.saxutils import quoteattr

import pytest

from proj.data.table_file import read_table

ROWS = [["len", "day", "y"], [1.5, "2024-01-05", "p"], [2, "2024-01-06", "q"], [3, "2024-01-07", "p"]]
# Of Excel 97: these rows in the sheet "Data", whose days are dates, and a sheet "Info" before it. Written by xlwt 1.3.
XLS = (
    "c-rk)O=uHA6#iy+(<UL!PfdkZD4}B2*dD}-ml~C5@sLuz_zQJwR*=@DhF;>uYRyp)JSkoZ_28xI#UE7g2Sh}u=s^&KMvtBZ1rKf3H*a^-G)8E^"
    "1|s_{^JeDFd^>Mv-pt$Gck_{jnR{JDRACoXluRF5Ds+O9&#8n#?WQS<PVS{-x@ao+ytI%l9z1S)+bY*ku6Gd%?rP6T0$(VdzyyY}86(y}>}4Bt"
    "A#E5C8u^}ro0Nj+WV_l~o?^L<<sI((gynA5TwysteHX+r%qNE8J8eHcqV#ZEkfgu^=6qt!c68vi^y3Rxh1J)CJ-IXbc#}1BYXQuHmUPg_7&%!F"
    ";THVBQ9^$z)t^i*AWF+Ui=So;_~Gp9XE9gbSiJ!0f34KF{zdPlMXc6eQ#4=-=1C!)xqtvRYO+Pcfz0Wwtmi#eJ*iLXi-=3N;Ehgs&d}4bvxW+c"
    "8yS*mJx`7#(*&h+etG2c5fNT-M6~h736M-9#N`NYpD<atc>DYN)aY<xgf&wf7Odd0Nm>dM7bSzp!E%cw<ILE`@)F;51DCs4M#;A+?;Y;23;U<J"
    "&t-1yrEzvJJ|s3*l($g1@a^Ek?!wo^Rw~a87SBiLJ|<?+L%}Rfe0fcyPxOf!*Cie$oLtz)%x9LJe;hepC2ZSn+7U8@CArB65i5);?YJ+y(vh@`"
    "M$9U^00r^pomI8wtjZ_0YR>FfHHB)b%@$Scr!=Bq_Hjjqju$WG6H1<7o@Vou8a#!0ehxXW$~=X69-F7u;Hk_DGVe{9r<TWK&p<8DaN)v*3l}b2"
    "xL8vNes!{56y<A)XZh2B|LZJKD!IQ&{#zVEmaa+qq}+!L<vHZ*@}Kqa2<Kj6l^o}Pp~PVtJ%=%jvK?b}`!Btqi^}I&H8K3}wotv}m+G-|jmQ5D"
    "I~@oc"
)
OFFICE = "urn:oasis:names:tc:opendocument:xmlns"
RELATIONS = "http://schemas.openxmlformats.org"


def packed(members: dict[str, str | bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def ods(sheets: dict[str, list[list]]) -> bytes:
    """A spreadsheet of LibreOffice."""

    def cell(value: float | str) -> str:
        if isinstance(value, str):
            return f'<table:table-cell office:value-type="string"><text:p>{value}</text:p></table:table-cell>'
        return f'<table:table-cell office:value-type="float" office:value="{value}"/>'

    tables = ""
    for name, rows in sheets.items():
        lines = "".join(f"<table:table-row>{''.join(map(cell, row))}</table:table-row>" for row in rows)
        tables += f"<table:table table:name={quoteattr(name)}>{lines}</table:table>"
    spaces = f'xmlns:office="{OFFICE}:office:1.0" xmlns:table="{OFFICE}:table:1.0" xmlns:text="{OFFICE}:text:1.0"'
    body = f"<office:body><office:spreadsheet>{tables}</office:spreadsheet></office:body>"
    return packed(
        {
            "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
            "content.xml": f"<office:document-content {spaces}>{body}</office:document-content>",
            "META-INF/manifest.xml": f'<manifest:manifest xmlns:manifest="{OFFICE}:manifest:1.0"/>',
        }
    )


def record(kind: int, data: bytes = b"") -> bytes:
    """A record of Excel's binary format, whose data are shorter than 128 bytes."""
    return (bytes([kind]) if kind < 128 else bytes([kind & 127 | 128, kind >> 7])) + bytes([len(data)]) + data


def wide(text: str) -> bytes:
    return struct.pack("<I", len(text)) + text.encode("utf-16-le")


def xlsb(sheets: dict[str, list[list]]) -> bytes:
    """A workbook in Excel's binary format."""
    members: dict[str, str | bytes] = {"[Content_Types].xml": "<Types/>"}
    book, links = record(131) + record(143), ""
    for number, (name, rows) in enumerate(sheets.items(), 1):
        book += record(156, struct.pack("<II", 0, number) + wide(f"r{number}") + wide(name))
        kind, target = f"{RELATIONS}/officeDocument/2006/relationships/worksheet", f"worksheets/{number}.bin"
        links += f'<Relationship Id="r{number}" Type="{kind}" Target="{target}"/>'
        cells = record(129) + record(148, struct.pack("<4I", 0, len(rows) - 1, 0, len(rows[0]) - 1)) + record(145)
        for place, row in enumerate(rows):
            cells += record(0, struct.pack("<I", place) + bytes(13))
            for column, value in enumerate(row):
                text = isinstance(value, str)
                where = struct.pack("<II", column, 0)
                cells += record(6, where + wide(value)) if text else record(5, where + struct.pack("<d", value))
        members[f"xl/{target}"] = cells + record(146) + record(130)
    space = f"{RELATIONS}/package/2006/relationships"
    members["xl/_rels/workbook.bin.rels"] = f'<Relationships xmlns="{space}">{links}</Relationships>'
    members["xl/workbook.bin"] = book + record(144) + record(132)
    return packed(members)


SHEETS = {"Info": [["read me"]], "Data": ROWS}
KINDS = {"xls": zlib.decompress(base64.b85decode("".join(XLS))), "ods": ods(SHEETS), "xlsb": xlsb(SHEETS)}


@pytest.mark.parametrize("content", KINDS.values(), ids=KINDS)
def test_every_kind_of_spreadsheet_is_the_same_table(content):
    for sheet in ("Data", 1, "1"):
        table = read_table(io.BytesIO(content), "t", sheet=sheet)
        assert table.first == ROWS[0] and table.notes == []
        cells = [list(table.column(place)) for place in range(3)]
        assert cells == [["1.5", "2", "3"], ["2024-01-05", "2024-01-06", "2024-01-07"], ["p", "q", "p"]]
    table = read_table(io.BytesIO(content), "t")
    assert table.first == ["read me"]
    assert table.notes == ["t: the sheet Info is read, and not Data: dataset.sheet=… chooses another"]
