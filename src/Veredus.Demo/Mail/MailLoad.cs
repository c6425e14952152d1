using System.Net;

namespace Veredus.Demo;

/// <summary>Sends at a steady, bounded rate to all servers, one connection for each.</summary>
/// <param name="rate">Messages a second, over all.</param>
/// <param name="domains">Whom the mail is for, in turn.</param>
internal sealed class MailLoad(IReadOnlyList<IPEndPoint> servers, double rate, MailLedger ledger, params string[] domains) : IAsyncDisposable
{
    private const int BodyBytes = 2048;

    private CancellationTokenSource _stopping = new();
    private Task _sending = Task.CompletedTask;

    public void Start()
    {
        _stopping.Dispose();
        _stopping = new();
        _sending = Task.WhenAll(servers.Select((server, index) => SendAsync(server, index, _stopping.Token)));
    }

    /// <summary>Stops after what is under way: afterwards nothing more is sent, and every number sent has an outcome.</summary>
    public async Task StopAsync()
    {
        await _stopping.CancelAsync();
        await _sending;
    }

    private async Task SendAsync(IPEndPoint server, int index, CancellationToken stopping)
    {
        var period = TimeSpan.FromSeconds(servers.Count / rate);
        await using var sender = new DemoSender(server, BodyBytes, domains);
        try
        {
            // Spread over the period, so that the rate is even.
            await Task.Delay(period * index / servers.Count, stopping);
            using var tick = new PeriodicTimer(period);
            do
            {
                var number = ledger.NextNumber();
                // Not the stopping token: a message that is under way gets its outcome (the sender has limits of its own).
                ledger.Sent(number, await sender.SendAsync(number, CancellationToken.None));
            }
            while (await tick.WaitForNextTickAsync(stopping));
        }
        catch (OperationCanceledException)
        {
            // That is how it stops.
        }
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _stopping.Dispose();
    }
}
