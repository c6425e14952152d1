using System.Net;
using System.Net.Sockets;
using System.Text;
using Veredus.Network;

namespace Veredus.Lab;

/// <summary>Clients that send mail to virtual addresses without a pause, each step of a transaction a little after the one before, and count what became of the transactions.</summary>
internal sealed class MailClient : IAsyncDisposable
{
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(15), Patience = TimeSpan.FromSeconds(60);

    private readonly CancellationTokenSource _ending = new();
    private readonly Task[] _sending;
    private readonly List<string> _cut = [];
    private int _done, _goodbyes;

    public MailClient(NetworkNamespace client, IEnumerable<IPAddress> vips) =>
        _sending = [.. vips.Select(vip => Task.Run(async () =>
        {
            while (!_ending.IsCancellationRequested)
            {
                using var socket = await client.RunAsync(() => new Socket(vip.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true });
                await SendAsync(socket, new(vip, 25));
            }
        }))];

    /// <summary>Transactions that got their final reply.</summary>
    public int Done => Volatile.Read(ref _done);

    /// <summary>Sessions that were told 421 between two transactions, or lost there.</summary>
    public int Goodbyes => Volatile.Read(ref _goodbyes);

    /// <summary>Transactions that began (250 to MAIL) and got no final reply, and how they ended.</summary>
    public IReadOnlyList<string> Cut
    {
        get
        {
            lock (_cut)
                return [.. _cut];
        }
    }

    private async Task SendAsync(Socket socket, IPEndPoint target)
    {
        var (begun, last) = (false, "");
        try
        {
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(_ending.Token);
            patience.CancelAfter(Patience);
            await socket.ConnectAsync(target, patience.Token);
            await using var stream = new NetworkStream(socket);
            using var reader = new StreamReader(stream, Encoding.ASCII);
            if (await AnswerAsync("220") && await AskAsync("EHLO client.lab", "250"))
                while (await AskAsync("MAIL FROM:<a@client.lab>", "250"))
                {
                    begun = true;
                    if (!await AskAsync("RCPT TO:<b@sink.lab>", "250") || !await AskAsync("DATA", "354") || !await AskAsync("Subject: lab\r\n\r\ntext\r\n.", "250"))
                        break;
                    begun = false;
                    Interlocked.Increment(ref _done);
                }

            async Task<bool> AskAsync(string text, string code)
            {
                patience.CancelAfter(Patience);  // anew for each step: a session may last as long as the test
                await Task.Delay(Step, patience.Token);
                await stream.WriteAsync(Encoding.ASCII.GetBytes(text + "\r\n"), patience.Token);
                return await AnswerAsync(code);
            }

            async Task<bool> AnswerAsync(string code)
            {
                do
                    last = await reader.ReadLineAsync(patience.Token) ?? throw new IOException("the connection ended");
                while (last.Length > 3 && last[3] == '-');
                return last.StartsWith(code, StringComparison.Ordinal);
            }
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException)
        {
            last = e.Message;
        }
        if (_ending.IsCancellationRequested)
            return;
        Interlocked.Increment(ref _goodbyes);
        if (begun)
            lock (_cut)
                _cut.Add($"{target}: {last}");
    }

    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        await Task.WhenAll(_sending);
        _ending.Dispose();
    }
}
