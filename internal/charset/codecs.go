package charset

import (
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
)

// newCodec returns a fresh codec for a canonical name.
func newCodec(name string) codec {
	switch name {
	case "utf-8":
		return utf8Codec{}
	case "utf-8-sig":
		return &utf8SigCodec{}
	case "utf-16":
		return &utf16Codec{mark: true}
	case "utf-16-le":
		return &utf16Codec{}
	case "utf-16-be":
		return &utf16Codec{big: true}
	case "utf-32":
		return &utf32Codec{mark: true}
	case "utf-32-le":
		return &utf32Codec{}
	case "utf-32-be":
		return &utf32Codec{big: true}
	case "utf-7":
		return &utf7Codec{}
	case "iso-2022-jp":
		// The same pairs as in EUC, without the high bits.
		return &iso2022Codec{pairs: pairsOf("euc-jp")}
	case "iso-2022-kr":
		return &iso2022Codec{pairs: pairsOf("euc-kr"), korean: true}
	case "hz":
		return &hzCodec{pairs: pairsOf("gb2312")}
	case "gb18030":
		return gb18030Codec{pairs: pairsOf(name)}
	case "euc-jp", "shift_jis", "cp932", "euc-kr", "cp949", "gb2312", "gbk", "big5", "big5hkscs":
		return multiByteCodec{pairs: pairsOf(name), single: singlesOf(name), triple: name == "euc-jp"}
	}
	// What is left has one byte a character, ASCII included.
	return singleByteCodec{table: singleByteTable(name)}
}

// standardPairs returns the encoding of golang.org/x/text that has the pairs of
// a canonical name.
func standardPairs(name string) encoding.Encoding {
	switch name {
	case "euc-jp":
		return japanese.EUCJP
	// Python tells apart what the WHATWG has joined; [pythonPair] takes out of
	// the table what is not of the name's standard.
	case "shift_jis", "cp932":
		return japanese.ShiftJIS
	case "euc-kr", "cp949":
		return korean.EUCKR
	case "gb2312", "gbk":
		return simplifiedchinese.GBK
	case "gb18030":
		return simplifiedchinese.GB18030
	case "big5", "big5hkscs":
		return traditionalchinese.Big5
	}
	return nil
}
