using System.IO.Pipelines;

namespace Veredus.Smtp.Tests;

/// <summary>Two ends of an in-memory connection.</summary>
internal sealed class PipePair
{
    public PipePair(int threshold = 64 * 1024)
    {
        // Inline: when a write returns, the other side has done all it could with it.
        var options = new PipeOptions(
            readerScheduler: PipeScheduler.Inline, writerScheduler: PipeScheduler.Inline,
            pauseWriterThreshold: threshold, resumeWriterThreshold: threshold / 2, useSynchronizationContext: false);
        var (toServer, toClient) = (new Pipe(options), new Pipe(options));
        Server = new End(toServer.Reader, toClient.Writer);
        Client = new End(toClient.Reader, toServer.Writer);
    }

    public IDuplexPipe Server { get; }
    public IDuplexPipe Client { get; }

    private sealed record End(PipeReader Input, PipeWriter Output) : IDuplexPipe;
}
