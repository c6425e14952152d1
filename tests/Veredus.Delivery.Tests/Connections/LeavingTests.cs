namespace Veredus.Delivery.Tests.Connections;

/// <summary>A binding whose address leaves this host while a message is on its way.</summary>
public sealed class LeavingTests : IAsyncDisposable
{
    private readonly SmtpSink _sink = new();
    private readonly Away _presence = new();
    private readonly TaskCompletionSource _reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly SemaphoreSlim _gate = new(0);
    private EngineHarness _h = null!;

    public async ValueTask DisposeAsync()
    {
        _gate.Release(10);
        await _h.DisposeAsync();
        await _sink.DisposeAsync();
        _gate.Dispose();
    }

    [Fact]
    public async Task A_transaction_under_way_is_finished_before_the_binding_has_left()
    {
        await SendAsync();
        _presence.Set(isHere: false);
        var leaving = _h.Engine.LeaveAsync("default", "default", TimeSpan.FromMinutes(5));
        Assert.False(leaving.IsCompleted);

        _gate.Release(10);
        await _sink.NextAsync();
        await leaving.WaitAsync(TimeSpan.FromSeconds(60));
        Assert.Equal(0, (await _h.NextAsync<DeliveredEvent>()).Retries);
    }

    [Fact]
    public async Task What_is_cut_off_at_the_end_of_the_grace_waits_uncharged()
    {
        await SendAsync();
        _presence.Set(isHere: false);
        await _h.Engine.LeaveAsync("default", "default", TimeSpan.Zero);
        await _h.Engine.LeaveAsync("default", "default", TimeSpan.FromMinutes(1));  // its connection has ended
        _gate.Release(10);

        _presence.Set(isHere: true);
        await _sink.NextAsync();
        Assert.Equal(0, (await _h.NextAsync<DeliveredEvent>()).Retries);
        Assert.Equal(2, _sink.Connections);
    }

    [Fact]
    public async Task A_binding_without_connections_has_left_at_once()
    {
        _h = await EngineHarness.StartAsync("", _presence);
        Assert.True(_h.Engine.LeaveAsync("default", "default", TimeSpan.FromMinutes(5)).IsCompletedSuccessfully);
    }

    /// <summary>Until the sink has been told the recipient; its answer waits for the gate.</summary>
    private async Task SendAsync()
    {
        _sink.Script = line =>
        {
            if (line.StartsWith("RCPT", StringComparison.Ordinal))
            {
                _reached.TrySetResult();
                _gate.Wait(TimeSpan.FromSeconds(60));
            }
            return null;
        };
        _h = await EngineHarness.StartAsync($"remote_smtp_port = {_sink.Port}", _presence);
        _h.Route("d.test", "127.0.0.1");
        await _h.SubmitAsync("bob@d.test");
        await _reached.Task.WaitAsync(TimeSpan.FromSeconds(60));
    }

    private sealed class Away : IBindingPresence
    {
        private volatile bool _isHere = true;

        public event Action<string, string>? Changed;

        public bool IsHere(string group, string binding) => _isHere;

        public void Set(bool isHere)
        {
            _isHere = isHere;
            Changed?.Invoke("default", "default");
        }
    }
}
