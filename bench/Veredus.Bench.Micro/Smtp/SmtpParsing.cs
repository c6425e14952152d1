using System.Text;
using BenchmarkDotNet.Attributes;
using Veredus.Smtp;

namespace Veredus.Bench.Micro.Smtp;

/// <summary>The command parser and the DATA scanner alone.</summary>
[MemoryDiagnoser]
public class SmtpParsing
{
    private static readonly SmtpServerOptions Options = new() { HostName = "mx.example.org" };
    private readonly byte[] _mail = "MAIL FROM:<news@example.com> SIZE=10240 BODY=8BITMIME"u8.ToArray();
    private readonly byte[] _rcpt = "RCPT TO:<ann.miller@example.net>"u8.ToArray();
    private readonly byte[] _content = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat(new string('x', 76) + "\r\n", 131)) + ".\r\n");
    private readonly byte[] _stuffed = new byte[16 * 1024];
    private readonly NullSink _sink = new();

    [Benchmark]
    public object Mail()
    {
        SmtpVerbs.Read(_mail, out var argument);
        EnvelopeParser.ReadMail(argument, Options, out var mail);
        return mail;
    }

    [Benchmark]
    public object Rcpt()
    {
        SmtpVerbs.Read(_rcpt, out var argument);
        EnvelopeParser.ReadRcpt(argument, Options, false, out var rcpt);
        return rcpt;
    }

    /// <summary>10 KB in lines of 78 octets, as one segment.</summary>
    [Benchmark]
    public long Scan10KB()
    {
        var scanner = new DataScanner(dotStuffed: true);
        scanner.Scan(_content, _sink);
        return scanner.Finish(_sink).Size;
    }

    [Benchmark]
    public int Stuff10KB() => new DotStuffer().Stuff(_content, _stuffed);

    private sealed class NullSink : IMessageSink
    {
        public void Write(ReadOnlySpan<byte> content) { }

        public ValueTask<bool> FlushAsync(CancellationToken cancellationToken) => ValueTask.FromResult(true);
    }
}
