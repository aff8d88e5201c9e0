package main

import (
	"bytes"
	"fmt"
	"html"
	"math"
)

// The chart's measures, in pixels.
const (
	panelWidth, panelHead, panelGap = 300, 24, 16
	barHeight, barStep              = 11, 15
	labelWidth, valueWidth          = 96, 34
	panelColumns                    = 3
	chartMost                       = 2.0 // the ratio at a bar's full width
)

// drawChart draws a panel for each load with a bar for each client: wall time
// as a ratio to net/http. Its colours are legible on light and on dark.
func drawChart(peers []*peer, results []result) []byte {
	panelHeight := panelHead + (len(peers)-1)*barStep + panelGap
	lines := (len(results) + panelColumns - 1) / panelColumns
	width, height := panelColumns*(panelWidth+panelGap)+panelGap, lines*panelHeight+44
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="system-ui, sans-serif" font-size="10" role="img">`+"\n",
		width, height, width, height)
	b.WriteString(`<title>Wall time as a ratio to net/http, for each load and client</title>` + "\n")
	b.WriteString(`<style>text{fill:#57606a}.h{font-weight:600;font-size:12px}.us{fill:#1f6feb}.them{fill:#8c959f}.base{stroke:#cf222e;stroke-dasharray:3 2}` +
		`text.us{font-weight:600}@media(prefers-color-scheme:dark){text{fill:#9ea7b3}.us{fill:#58a6ff}.them{fill:#6e7681}.base{stroke:#ff7b72}}</style>` + "\n")
	fmt.Fprintf(&b, `<text class="h" x="%d" y="20">Wall time, net/http = 1 (dashed); shorter is faster</text>`+"\n", panelGap)
	for i, r := range results {
		x, y := panelGap+i%panelColumns*(panelWidth+panelGap), 44+i/panelColumns*panelHeight
		drawPanel(&b, x, y, peers, r)
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// drawPanel draws one load. The second row of net/http is noise, and left out.
func drawPanel(b *bytes.Buffer, x, y int, peers []*peer, r result) {
	full := float64(panelWidth - labelWidth - valueWidth)
	fmt.Fprintf(b, `<text class="h" x="%d" y="%d">%s</text>`+"\n", x, y, html.EscapeString(r.load.name))
	top := y + 8
	for _, p := range peers {
		if p.name == floorAgain {
			continue
		}
		class := "them"
		if p == peers[2] {
			class = "us"
		}
		text, length := "-", 0.0
		if row := r.find(p.name); row != nil && row.err == nil {
			ratio := median(r.ratios(row, wallOf))
			text, length = fmt.Sprintf("%.2f", ratio), full*math.Min(ratio, chartMost)/chartMost
		}
		label := ""
		if class == "us" {
			label = ` class="us"`
		}
		fmt.Fprintf(b, `<text%s x="%d" y="%d" text-anchor="end">%s</text>`, label, x+labelWidth-6, top+barHeight-2, html.EscapeString(p.name))
		fmt.Fprintf(b, `<rect class="%s" x="%d" y="%d" width="%.1f" height="%d" rx="1"/>`, class, x+labelWidth, top, length, barHeight)
		fmt.Fprintf(b, `<text%s x="%.1f" y="%d">%s</text>`+"\n", label, float64(x+labelWidth)+length+4, top+barHeight-2, text)
		top += barStep
	}
	at := float64(x+labelWidth) + full/chartMost
	fmt.Fprintf(b, `<line class="base" x1="%.1f" y1="%d" x2="%.1f" y2="%d"/>`+"\n", at, y+6, at, top)
}
