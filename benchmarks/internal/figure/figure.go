// Package figure draws the plots of the documentation: the same fonts and colours in
// each, and SVG that browsers show without these fonts.
package figure

import (
	"bytes"
	"image/color"
	"os"
	"path/filepath"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Palette has colours that differ in lightness too.
func Palette() []color.Color {
	return []color.Color{
		color.RGBA{R: 0x1b, G: 0x4f, B: 0x8f, A: 0xff},
		color.RGBA{R: 0x4d, G: 0x9d, B: 0xd6, A: 0xff},
		color.RGBA{R: 0xb5, G: 0xd4, B: 0xea, A: 0xff},
	}
}

// New returns an empty plot. The horizontal axis begins at zero.
func New(title, axis string) *plot.Plot {
	p := plot.New()
	sans := font.Font{Typeface: "Liberation", Variant: "Sans"}
	for _, style := range []*text.Style{&p.Title.TextStyle, &p.X.Label.TextStyle, &p.X.Tick.Label,
		&p.Y.Label.TextStyle, &p.Y.Tick.Label, &p.Legend.TextStyle} {
		style.Font = font.From(sans, style.Font.Size)
	}
	p.Title.Text = title
	p.Title.Padding = 0.3 * vg.Centimeter
	p.X.Label.Text = axis
	p.X.Min = 0
	p.BackgroundColor = color.White
	return p
}

// Write draws rows of plots, each as wide and as high as all others, into a file.
func Write(path string, width, height vg.Length, rows [][]*plot.Plot) error {
	canvas := vgsvg.New(width, height)
	page := draw.New(canvas)
	page.FillPolygon(color.White, []vg.Point{
		page.Min, {X: page.Min.X, Y: page.Max.Y}, page.Max, {X: page.Max.X, Y: page.Min.Y}})
	tiles := draw.Tiles{Rows: len(rows), Cols: len(rows[0]), PadX: vg.Centimeter, PadY: 0.6 * vg.Centimeter,
		PadTop: 0.4 * vg.Centimeter, PadBottom: 0.4 * vg.Centimeter, PadLeft: 0.3 * vg.Centimeter, PadRight: 0.8 * vg.Centimeter}
	for y, canvases := range plot.Align(rows, tiles, page) {
		for x, c := range canvases {
			rows[y][x].Draw(c)
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	var image bytes.Buffer
	if _, err := canvas.WriteTo(&image); err != nil {
		return err
	}
	// A browser without these fonts is told what else to take.
	svg := bytes.ReplaceAll(image.Bytes(), []byte("font-family:Liberation Sans"),
		[]byte("font-family:Liberation Sans,Helvetica,Arial,sans-serif"))
	return os.WriteFile(path, svg, 0o644)
}
