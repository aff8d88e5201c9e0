module github.com/seed-9ea40bd3/requests/bench

go 1.26.0

replace github.com/seed-9ea40bd3/requests => ../

require (
	github.com/andybalholm/brotli v1.2.8
	github.com/carlmjohnson/requests v0.23.5
	github.com/dghubble/sling v1.4.2
	github.com/go-resty/resty/v2 v2.17.2
	github.com/hashicorp/go-retryablehttp v0.7.8
	github.com/imroc/req/v3 v3.60.0
	github.com/klauspost/compress v1.20.3
	github.com/levigross/grequests v0.0.0-20250606031859-3f3c12e4e704
	github.com/seed-9ea40bd3/requests v0.0.0
	github.com/valyala/fasthttp v1.73.0
	golang.org/x/net v0.62.0
	resty.dev/v3 v3.0.0-rc.4
)

require (
	github.com/google/go-querystring v1.2.0 // indirect
	github.com/hashicorp/go-cleanhttp v0.5.2 // indirect
	github.com/icholy/digest v1.2.0 // indirect
	github.com/quic-go/qpack v0.6.0 // indirect
	github.com/quic-go/quic-go v0.61.0 // indirect
	github.com/refraction-networking/utls v1.8.2 // indirect
	github.com/valyala/bytebufferpool v1.0.0 // indirect
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.43.0 // indirect
)
