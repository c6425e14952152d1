namespace Veredus.LogShipping;

/// <summary>Ends a wait for a peer that has fallen silent.</summary>
internal sealed class Patience : IDisposable
{
    private readonly CancellationTokenSource _deadline;
    private readonly CancellationTokenSource _either;

    public Patience(TimeProvider time, CancellationToken stopping)
    {
        _deadline = new(LogProtocol.Patience, time);
        _either = CancellationTokenSource.CreateLinkedTokenSource(_deadline.Token, stopping);
    }

    public CancellationToken Token => _either.Token;

    /// <summary>Something came.</summary>
    public void Renew() => _deadline.CancelAfter(LogProtocol.Patience);

    public void Dispose()
    {
        _either.Dispose();
        _deadline.Dispose();
    }
}
