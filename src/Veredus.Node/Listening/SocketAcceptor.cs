using System.Net.Sockets;
using System.Threading.Tasks.Sources;

namespace Veredus.Node.Listening;

/// <summary>
/// Accepts on a socket and tells its end by a value: to close a thousand listeners with their addresses would throw a thousand exceptions otherwise,
/// each of which costs more than all else that is done for the address. For one caller at a time.
/// </summary>
internal sealed class SocketAcceptor(Socket listening) : SocketAsyncEventArgs(true), IValueTaskSource<SocketError>
{
    private ManualResetValueTaskSourceCore<SocketError> _accepted;

    /// <summary>Waits for the next connection.</summary>
    /// <returns><see cref="SocketError.Success"/>: it is <see cref="SocketAsyncEventArgs.AcceptSocket"/>. <see cref="SocketError.OperationAborted"/>: the listening socket was closed.</returns>
    public ValueTask<SocketError> AcceptAsync()
    {
        AcceptSocket = null;
        _accepted.Reset();
        try
        {
            return listening.AcceptAsync(this) ? new(this, _accepted.Version) : new(SocketError);
        }
        catch (ObjectDisposedException)
        {
            return new(SocketError.OperationAborted);
        }
    }

    protected override void OnCompleted(SocketAsyncEventArgs e) => _accepted.SetResult(SocketError);

    SocketError IValueTaskSource<SocketError>.GetResult(short token) => _accepted.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<SocketError>.GetStatus(short token) => _accepted.GetStatus(token);

    void IValueTaskSource<SocketError>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _accepted.OnCompleted(continuation, state, token, flags);
}
